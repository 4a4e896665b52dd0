package warm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/gocmd"
)

// How many modules one run of the go command brings, and how many runs there are at one
// time. Each run fetches several files at one time, too.
const (
	batch = 16
	runs  = 3
)

// A ModCache is the module cache of this machine.
type ModCache struct {
	Dir      string // GOMODCACHE
	Writable bool   // the user wants -modcacherw
}

// Fill has the go command fetch what is not in the cache, from where its settings say.
// One file of each module stands for all: its zip, or its go.mod where that is all that
// is needed.
func (m ModCache) Fill(ctx context.Context, c *closure.Closure, progress func(closure.Progress)) (closure.Report, error) {
	var zips, mods []closure.Module
	for _, module := range c.Modules {
		if module.Zip {
			zips = append(zips, module)
		} else {
			mods = append(mods, module)
		}
	}
	units := slices.Concat(slices.Collect(slices.Chunk(zips, batch)), slices.Collect(slices.Chunk(mods, batch)))
	return closure.Work(ctx, slices.Values(units), len(c.Modules), runs, m.bring, progress)
}

// settings are those under which the go command looks at no go.mod and changes none.
func (m ModCache) settings() []string {
	flags := "-mod=mod"
	if m.Writable {
		flags += " -modcacherw"
	}
	return []string{"GO111MODULE=on", "GOWORK=off", "GOTOOLCHAIN=local", "GOFLAGS=" + flags}
}

// bring has the go command bring modules of which either all or none are needed with
// their zips.
func (m ModCache) bring(ctx context.Context, modules []closure.Module) []closure.Result {
	args := []string{"list", "-m", "-e", "-json", "--"}
	if modules[0].Zip {
		args = []string{"mod", "download", "-json", "--"}
	}
	results := make([]closure.Result, len(modules))
	for i, module := range modules {
		names := module.Artifacts()
		results[i].Name = names[len(names)-1]
		results[i].Present = m.has(results[i].Name)
		args = append(args, module.Path+"@"+module.Version.Version)
	}
	out, err := gocmd.Command{Dir: os.TempDir(), Env: m.settings()}.Run(ctx, args...)
	answers := parseAnswers(out)
	for i, module := range modules {
		a, answered := answers[module.Path+"@"+module.Version.Version]
		switch {
		case answered:
			results[i].Err = a.trouble(module, results[i].Name)
		case err != nil:
			results[i].Err = withoutAnswer(err)
		default:
			results[i].Err = errors.New("the go command said nothing of it")
		}
		if results[i].Err == nil && !results[i].Present {
			results[i].Bytes = a.size()
		}
	}
	return results
}

// has reports whether a file is in the cache.
func (m ModCache) has(n artifact.Name) bool {
	_, err := os.Stat(filepath.Join(m.Dir, "cache", "download", filepath.FromSlash(n.Key())))
	return err == nil
}

// answer is what the go command says of a module, as far as it matters here.
type answer struct {
	Path, Version string
	GoMod, Zip    string // files
	Sum, GoModSum string
	Error         gocmd.Problem
}

// parseAnswers reads answers, one after another, by module@version.
func parseAnswers(out []byte) map[string]answer {
	answers := map[string]answer{}
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		var a answer
		if in.Decode(&a) != nil {
			return answers
		}
		answers[a.Path+"@"+a.Version] = a
	}
}

// trouble is what is wrong with an answer.
func (a answer) trouble(m closure.Module, n artifact.Name) error {
	switch {
	case a.Error != "" && !a.tooNew(m):
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: artifact.Clean(string(a.Error), 600)}
	case m.Zip && a.Zip == "", a.GoMod == "":
		return fmt.Errorf("the go command has not brought it")
	case m.Zip:
		return errors.Join(closure.Compared(n.Sibling(artifact.Mod), a.GoModSum, m.ModSums), closure.Compared(n, a.Sum, m.Sums))
	}
	return nil
}

// tooNew reports whether all that was wrong with what was brought is that it wants a
// newer go command than runs here. The project, whose go.mod says so, too, has that.
//
// Source: cmd/go/internal/gover/toolchain.go, TooNewError.
func (a answer) tooNew(m closure.Module) bool {
	return strings.Contains(string(a.Error), "requires go >= ") && a.GoMod != "" && (!m.Zip || a.Zip != "" && a.Sum != "")
}

// size is how large the file is that was brought.
func (a answer) size() int64 {
	name := a.Zip
	if name == "" {
		name = a.GoMod
	}
	if info, err := os.Stat(name); err == nil {
		return info.Size()
	}
	return 0
}

// withoutAnswer is the error of a go command that has not said which module it is about.
func withoutAnswer(err error) error {
	if failed, ok := errors.AsType[*gocmd.Error](err); ok {
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "the go command failed: " + artifact.Clean(failed.Stderr, 600)}
	}
	return err
}
