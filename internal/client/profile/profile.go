// Package profile keeps named sets of settings of the go command, such as office, home
// and offline, and switches between them.
//
// A profile is a small YAML file. It is refused, with the place of the mistake, when it
// sets what the go command does not know, a value that the go command would not take, or
// a secret: profiles are there to be shown and handed on, credentials belong into a netrc
// file or to a command of GOAUTH.
package profile

import (
	"fmt"
	"slices"
	"strings"
)

// A Profile is a named set of settings. Its zero value has none.
type Profile struct {
	Name        string
	Description string    // one line for people; may be empty
	File        string    // that it was read from; empty if it is built in
	Settings    []Setting // in the order of govars.Names, each variable once
}

// A Setting is what a profile says of one variable.
type Setting struct {
	Name  string
	Value string
	Unset bool // the variable is unset, so that the default of the Go installation counts
}

// Lookup finds what the profile says of a variable.
func (p Profile) Lookup(name string) (Setting, bool) {
	i := slices.IndexFunc(p.Settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return p.Settings[i], true
}

// exampleHost is in the values of profiles that are there to be edited.
//
// Source: RFC 2606, section 3.
const exampleHost = "example.com"

// Example is the variable whose value is only an example, to be edited before the
// profile is of use; empty if there is none.
func (p Profile) Example() string {
	for _, s := range p.Settings {
		if strings.Contains(s.Value, exampleHost) {
			return s.Name
		}
	}
	return ""
}

// Format is the text of a profile as its file holds it.
func Format(p Profile) string {
	var b strings.Builder
	if p.Description != "" {
		fmt.Fprintf(&b, "description: %s\n", quoteYAML(p.Description))
	}
	for _, s := range p.Settings {
		if s.Unset {
			fmt.Fprintf(&b, "%s:\n", s.Name)
		} else {
			fmt.Fprintf(&b, "%s: %s\n", s.Name, quoteYAML(s.Value))
		}
	}
	return b.String()
}

// quoteYAML is a text between single quotes, where nothing but those has a meaning.
func quoteYAML(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Start is the text that a new profile begins with.
const Start = `# A profile: settings of the go command under a name. Take the # away from lines you want.
# A variable without a value is unset, so that the default of Go counts; one that does not
# stand here stays as it is. No user names or passwords: they belong into the netrc file.
description: ''

# Where modules come from. After "," the next one is asked for what the one before has not
# got; after "|" also when that one is out of order. "direct" is version control.
#GOPROXY: 'https://proxy.example.com,direct'

# Modules that no public proxy and no checksum database may hear of.
#GOPRIVATE: 'git.example.com,github.com/my-company'

# Which of them are to come from GOPROXY all the same: with 'none', all.
#GONOPROXY: 'none'

# The checksum database, and modules that it may not hear of (default: GOPRIVATE).
#GOSUMDB: 'sum.golang.org'
#GONOSUMDB: ''

# Hosts that may be asked without TLS, and version control by pattern.
#GOINSECURE: ''
#GOVCS: 'public:git|hg,private:all'

# Where credentials come from.
#GOAUTH: 'netrc;weir auth'

# Which Go: auto, local, path, or a version.
#GOTOOLCHAIN: 'auto'

# Flags for every go command that knows them.
#GOFLAGS: '-modcacherw'
`
