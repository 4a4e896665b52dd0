package doctor

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/module"
)

// A Target is a module, and a version or query of it. The zero Target is none.
type Target struct {
	Path  string
	Query string // a version, a branch, a commit; empty: latest
}

// ParseTarget reads MODULE[@VERSION].
func ParseTarget(arg string) (Target, error) {
	path, query, at := strings.Cut(arg, "@")
	if rest, ok := strings.CutPrefix(path, "https://"); ok {
		return Target{}, fmt.Errorf("%q is a URL; write the path of the module: %s", arg, strings.TrimSuffix(rest, ".git"))
	}
	if at && query == "" {
		return Target{}, errors.New("after @ stands a version, a branch or a commit")
	}
	if err := module.CheckPath(path); err != nil {
		return Target{}, fmt.Errorf("%q is no path that a module can have: %w", path, errors.Unwrap(err))
	}
	if _, err := module.EscapeVersion(query); at && err != nil {
		return Target{}, fmt.Errorf("%q is no version or query that a proxy can be asked for", query)
	}
	if query == "latest" {
		query = ""
	}
	return Target{path, query}, nil
}

// String is the target as it is written.
func (t Target) String() string {
	if t.Query == "" {
		return t.Path
	}
	return t.Path + "@" + t.Query
}
