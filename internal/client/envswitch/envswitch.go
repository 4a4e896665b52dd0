// Package envswitch switches the settings of the go command between profiles.
//
// What is written is written by the go command itself (go env -w, go env -u) into the file
// that is the user's own. A switch happens as a whole or not at all, one at a time, and
// what was there before is remembered, so that it can be had again.
//
// Sources: go help env; cmd/go/internal/envcmd/env.go, updateEnvFile.
package envswitch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goweir/weir/internal/client/gocmd"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/goenv"
)

// A Switch switches between the profiles of a folder. It may be used by several
// goroutines and processes.
type Switch struct {
	Folder profile.Folder
	Go     gocmd.Command
	Getenv func(string) string
}

// A Change is what a switch has changed.
type Change struct {
	From, To   string // names of profiles, or profile.None
	Settings   []Changed
	Overridden []Override
	// Exposed are patterns of modules that were private before and are not any more, so
	// that proxies and checksum databases may hear of them.
	Exposed []string
}

// A Changed is one variable that another value was given in the file of go env -w.
type Changed struct {
	Name        string
	Was, Is     string
	WasSet, Set bool
}

// An Override is a variable that the environment hides from the profile.
type Override struct {
	Name        string
	Environment string // the value that counts
	Profile     string // the value that does not
	Unset       bool   // or the profile unsets the variable
}

// goTimeout bounds each thing that the go command is run for.
const goTimeout = time.Minute

// Use switches to a profile, or to [profile.None]. What the profile does not set is as it was
// without any profile. Nothing is changed when there is an error, except when the error
// says so.
func (s Switch) Use(ctx context.Context, name string) (Change, error) {
	p := profile.Profile{Name: profile.None}
	if name != profile.None {
		var err error
		if p, err = s.Folder.Load(name); err != nil {
			return Change{}, err
		}
	}
	if variable := p.Example(); variable != "" {
		return Change{}, fmt.Errorf("%s is an example: its %s names example.com; fill in your own: %s", name, variable, p.HowToEdit())
	}
	if err := s.askGo(ctx, p); err != nil {
		return Change{}, err
	}
	return s.to(ctx, func(m memory) (memory, error) {
		next := memory{File: m.File, Now: point{p.Name, over(m.Now.Base, p), m.Now.Base}, Before: &m.Now}
		if p.Name == m.Now.Profile && m.Before != nil {
			next.Before = m.Before // used again after it was edited
		}
		return next, nil
	}, p)
}

// Back undoes the last switch: the file of go env -w has the values that it had before,
// and the profile that was used then is used again. Another Back undoes that.
func (s Switch) Back(ctx context.Context) (Change, error) {
	return s.to(ctx, func(m memory) (memory, error) {
		if m.Before == nil {
			return memory{}, errors.New("there is nothing to go back to: no profile has been used here")
		}
		return memory{File: m.File, Now: *m.Before, Before: &m.Now}, nil
	}, profile.Profile{})
}

// askGo has the go command say whether it knows the flags of a profile.
func (s Switch) askGo(ctx context.Context, p profile.Profile) error {
	flags, _ := p.Lookup("GOFLAGS")
	if flags.Value == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, goTimeout)
	defer cancel()
	_, err := s.command("GOFLAGS="+flags.Value).Run(ctx, "version")
	if failed, ok := errors.AsType[*gocmd.Error](err); ok {
		return fmt.Errorf("profile %s: %w", p.Name, failed)
	}
	return err
}

// command is the go command of this machine as it is: no other toolchain is downloaded
// for what is done here.
func (s Switch) command(env ...string) gocmd.Command {
	c := s.Go
	c.Env = slices.Concat(c.Env, []string{"GOTOOLCHAIN=local"}, env)
	return c
}

// over are the values of the file when a profile is laid over what is there without it.
func over(base Values, p profile.Profile) Values {
	values := maps.Clone(base)
	for _, setting := range p.Settings {
		if setting.Unset {
			delete(values, setting.Name)
		} else {
			values[setting.Name] = setting.Value
		}
	}
	return values
}

// to switches to what next makes of what is remembered.
func (s Switch) to(ctx context.Context, next func(memory) (memory, error), p profile.Profile) (Change, error) {
	release, err := lock(ctx, filepath.Join(string(s.Folder), "..", "profile.lock"))
	if err != nil {
		return Change{}, err
	}
	defer release()
	env := goenv.Load(s.Getenv)
	if env.UserFile() == "" {
		return Change{}, errors.New("GOENV=off is set in the environment, so that the go command has no file to write; unset GOENV, or take the settings into the environment: weir env render shell")
	}
	was, err := s.remember(env)
	if err != nil {
		return Change{}, err
	}
	is, err := next(was)
	if err != nil {
		return Change{}, err
	}
	change := Change{
		From: was.Now.Profile, To: is.Now.Profile, Settings: difference(was.Now.Values, is.Now.Values),
		Overridden: s.overridden(is.Now.Values, p), Exposed: exposed(was.Now.Values, is.Now.Values),
	}
	return change, s.commit(ctx, env.UserFile(), is, change.Settings)
}

// commit writes what is remembered first: so a crash loses nothing of it.
func (s Switch) commit(ctx context.Context, userFile string, m memory, changes []Changed) error {
	memoryWas, err := snapshot(s.memoryFile())
	if err != nil {
		return err
	}
	fileWas, err := snapshot(userFile)
	if err != nil {
		return err
	}
	if err := s.keep(m); err != nil {
		return err
	}
	if err := s.write(ctx, changes); err != nil {
		if undo := errors.Join(fileWas.restore(), memoryWas.restore()); undo != nil {
			return fmt.Errorf("%w; what was there before could not be restored: %w", err, undo)
		}
		return fmt.Errorf("nothing has been changed: %w", err)
	}
	return nil
}

// write has the go command change its file, and looks whether it did.
func (s Switch) write(ctx context.Context, changes []Changed) error {
	ctx, cancel := context.WithTimeout(ctx, goTimeout)
	defer cancel()
	set, unset := []string{"env", "-w"}, []string{"env", "-u"}
	for _, c := range changes {
		if c.Set {
			set = append(set, c.Name+"="+c.Is)
		} else {
			unset = append(unset, c.Name)
		}
	}
	for _, args := range [][]string{set, unset} {
		if len(args) == 2 {
			continue
		}
		if _, err := s.command().Run(ctx, args...); err != nil {
			return withoutValues(err)
		}
	}
	written := valuesOf(goenv.Load(s.Getenv))
	for _, c := range changes {
		if value, ok := written[c.Name]; ok != c.Set || value != c.Is {
			return fmt.Errorf("the go command did not write %s into %s", c.Name, goenv.Load(s.Getenv).UserFile())
		}
	}
	return nil
}

// withoutValues leaves out of an error what the go command was told to write: it may be
// something that was there before, with a password.
func withoutValues(err error) error {
	failed, ok := errors.AsType[*gocmd.Error](err)
	if !ok {
		return err
	}
	return &gocmd.Error{Args: failed.Args[:2], Stderr: govars.Redact("", failed.Stderr), ExitCode: failed.ExitCode}
}

func difference(was, is Values) []Changed {
	var changes []Changed
	for _, name := range govars.Names() {
		c := Changed{Name: name}
		c.Was, c.WasSet = was[name]
		c.Is, c.Set = is[name]
		if c.Was != c.Is || c.WasSet != c.Set {
			changes = append(changes, c)
		}
	}
	return changes
}

// overridden are the variables that the environment gives another value than the file,
// of those that the profile names, or where there is none, that the file sets.
func (s Switch) overridden(values Values, p profile.Profile) []Override {
	var all []Override
	for _, name := range govars.Names() {
		value, set := values[name]
		_, counts := p.Lookup(name)
		counts = counts || set && p.Name == ""
		environment := s.Getenv(name)
		if environment != "" && environment != value && counts {
			all = append(all, Override{Name: name, Environment: environment, Profile: value, Unset: !set})
		}
	}
	return all
}

// exposed are the patterns that make modules private in one set of values and not in
// another one, unless that lets nothing out at all.
func exposed(was, is Values) []string {
	if is["GOPROXY"] == "off" {
		return nil
	}
	still := is.private()
	return slices.DeleteFunc(was.private(), func(pattern string) bool { return slices.Contains(still, pattern) })
}

// private are the patterns of modules that either no proxy or no checksum database hears of.
func (v Values) private() []string {
	var patterns []string
	for _, name := range []string{"GOPRIVATE", "GONOPROXY", "GONOSUMDB"} {
		for pattern := range strings.SplitSeq(v[name], ",") {
			if pattern != "" && pattern != "none" && !slices.Contains(patterns, pattern) {
				patterns = append(patterns, pattern)
			}
		}
	}
	return patterns
}
