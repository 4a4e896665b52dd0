package envswitch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/goenv"
)

// Values are variables with what the file of go env -w gives them; those that it does
// not set are missing.
type Values map[string]string

// valuesOf are the variables of profiles in the user's file. A carriage return, which
// editors of Windows leave at the end of a line, is no part of a value here: the go
// command would not write it.
func valuesOf(env *goenv.Env) Values {
	file := env.InUserFile()
	values := Values{}
	for _, name := range govars.Names() {
		if value, ok := file[name]; ok {
			values[name] = strings.TrimRight(value, "\r")
		}
	}
	return values
}

// A point is what switching can go back to.
type point struct {
	Profile string `json:"profile"` // profile.None if there is none
	Values  Values `json:"values"`  // that the file has then
	Base    Values `json:"base"`    // that it has without the profile
}

// A memory is what is remembered between switches, about one file of go env -w.
type memory struct {
	File   string `json:"file"`
	Now    point  `json:"now"`
	Before *point `json:"before,omitempty"`
}

// memoryFile is where it is kept. It is for the eyes of its owner only: what was set
// before may hold passwords.
func (s Switch) memoryFile() string { return filepath.Join(string(s.Folder), "..", "profile.json") }

// remember reads what was remembered of the user's file. What has been changed in it by
// other means since then belongs to no profile.
func (s Switch) remember(env *goenv.Env) (memory, error) {
	current := valuesOf(env)
	fresh := memory{File: env.UserFile(), Now: point{profile.None, current, current}}
	m, err := s.load()
	if err != nil || m.File != fresh.File {
		return fresh, err
	}
	m.Now.Base = m.Now.rebased(current)
	m.Now.Values = current
	return m, nil
}

// load reads what was remembered of any file; nothing, if nothing was.
func (s Switch) load() (m memory, err error) {
	data, err := os.ReadFile(s.memoryFile())
	if errors.Is(err, fs.ErrNotExist) {
		return memory{}, nil
	}
	if err != nil {
		return memory{}, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return memory{}, fmt.Errorf("%s is damaged: %w; remove it, and what was there before the last switch is forgotten", s.memoryFile(), err)
	}
	return m, nil
}

// rebased is what is there without the profile, after the file was changed.
func (p point) rebased(current Values) Values {
	base := Values{}
	maps.Copy(base, p.Base)
	for _, name := range p.changed(current) {
		if value, ok := current[name]; ok {
			base[name] = value
		} else {
			delete(base, name)
		}
	}
	return base
}

// changed are the variables whose values are not those of the point.
func (p point) changed(current Values) []string {
	var names []string
	for _, name := range govars.Names() {
		was, had := p.Values[name]
		is, has := current[name]
		if was != is || had != has {
			names = append(names, name)
		}
	}
	return names
}

func (s Switch) keep(m memory) error {
	data, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	return profile.WriteFile(s.memoryFile(), string(data)+"\n", 0o600)
}

// Current is the name of the profile that was used last, or profile.None, and the variables that
// were changed since then by other means.
func (s Switch) Current() (name string, changed []string, err error) {
	env := goenv.Load(s.Getenv)
	m, err := s.load()
	if err != nil || m.File != env.UserFile() || m.Now.Profile == profile.None {
		return profile.None, nil, err
	}
	return m.Now.Profile, m.Now.changed(valuesOf(env)), nil
}
