// Package goenv finds the settings of the go command on this machine, and where each
// comes from, as the go command itself does: in the environment, in the file that
// go env -w writes, in go.env of the Go installation.
//
// [Load] reads files and runs nothing. What no file says, the go command is asked for
// by [Env.Ask]. Nothing is ever written.
//
// Source: cmd/go/internal/cfg/cfg.go, EnvFile, initEnvCache and readEnvFile.
package goenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// A Layer is a place that a setting may come from. Those further up hide those below.
type Layer int

// The layers, the uppermost first.
const (
	Environment  Layer = iota
	UserFile           // which go env -w writes
	Installation       // go.env of the Go installation
	Default            // what the go command said when it was asked
)

// A Setting is the value that one layer gives to a variable.
type Setting struct {
	Name, Value string
	Layer       Layer
	File        string // of the layers UserFile and Installation
}

// Origin says where the setting comes from, for people: GOPROXY, for the environment,
// or GOPROXY in /usr/local/go/go.env.
func (s Setting) Origin() string {
	switch s.Layer {
	case Environment:
		return s.Name
	case UserFile:
		return s.Name + " in go env file " + s.File
	case Installation:
		return s.Name + " in " + s.File
	default:
		return s.Name + " in go env"
	}
}

// An Env is the settings of the go command as they were when it was loaded. It is safe
// for concurrent use, except for Ask.
type Env struct {
	getenv   func(string) string
	userFile string
	files    []file
	command  string // the go command; empty if there is none
	complete bool   // go.env of the installation has been read
	asked    map[string]string
}

type file struct {
	layer  Layer
	name   string
	values map[string]string
}

// Load reads the settings of the go command, given the environment.
func Load(getenv func(string) string) *Env {
	e := &Env{getenv: getenv, userFile: userFile(getenv)}
	if e.userFile != "" {
		e.read(UserFile, e.userFile)
	}
	e.command, _ = exec.LookPath("go")
	for _, folder := range installations(e.Value("GOROOT"), e.command) {
		if e.read(Installation, filepath.Join(folder, "go.env")) {
			e.complete = true
			break
		}
	}
	return e
}

// userFile is the name of the file that go env -w writes, or empty.
func userFile(getenv func(string) string) string {
	switch name := getenv("GOENV"); name {
	case "off":
		return ""
	case "":
		folder, err := os.UserConfigDir()
		if err != nil {
			return ""
		}
		return filepath.Join(folder, "go", "env")
	default:
		return name
	}
}

// UserFile is the name of the file that go env -w writes, whether there is one or not;
// empty where GOENV=off forbids it.
func (e *Env) UserFile() string { return e.userFile }

// GOROOT is the folder of the Go installation: where it is set or was told, or where its
// go.env lies; empty where nobody knows.
func (e *Env) GOROOT() string {
	if root := e.Value("GOROOT"); root != "" {
		return root
	}
	for _, f := range e.files {
		if f.layer == Installation {
			return filepath.Dir(f.name)
		}
	}
	return ""
}

// Complete reports whether go.env of the Go installation was found, so that only
// Ask can tell more about the variables that stand there.
func (e *Env) Complete() bool { return e.complete }

// installations are the folders that the Go installation may be in: the one that
// goroot names, or else those that the go command belongs to, or else the usual one.
func installations(goroot, goCommand string) []string {
	switch {
	case goroot != "":
		return []string{goroot}
	case goCommand != "":
		return foldersAbove(goCommand)
	default:
		return []string{"/usr/local/go"}
	}
}

// foldersAbove are the folders that a Go installation may be in whose go command is
// at path: it is in bin, or for some platforms one deeper, and may be linked to.
func foldersAbove(path string) []string {
	folders := []string{filepath.Join(path, "../.."), filepath.Join(path, "../../..")}
	if target, err := filepath.EvalSymlinks(path); err == nil && target != path {
		folders = append(folders, filepath.Join(target, "../.."), filepath.Join(target, "../../.."))
	}
	return folders
}

// maxFile is how much of a file is read, in bytes. Real ones have a few lines.
const maxFile = 1 << 20

// read adds a file of variables, and reports whether it could be read.
func (e *Env) read(layer Layer, name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return false
	}
	e.files = append(e.files, file{layer, name, Parse(string(data))})
	return true
}

// Parse reads the text of a file of settings: lines of KEY=value, of which the last
// one of a key counts. Like the go command it takes all other lines for comments.
func Parse(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if ok && line[0] >= 'A' && line[0] <= 'Z' {
			values[key] = value
		}
	}
	return values
}

// How long a run of the go command may take: for a few variables, with which a server
// waits to start, and for all of them, on a machine that may be busy building.
const (
	askTimeout    = 5 * time.Second
	askAllTimeout = 30 * time.Second
)

// An AskError is a go command that cannot say what its settings are.
type AskError struct {
	Said string // its own words: the first line
	Err  error
}

func (e *AskError) Error() string {
	if e.Said == "" {
		return "go env: " + e.Err.Error()
	}
	return "go env does not work: " + e.Said
}

func (e *AskError) Unwrap() error { return e.Err }

// Ask runs go env, so that defaults are known, too: of the variables that are named, for
// at most 5 s, or else of all, for at most 30 s. Those that are named must not depend on a
// folder: they are asked for away from any go.mod. No other version of Go is downloaded
// for it.
func (e *Env) Ask(ctx context.Context, names ...string) error {
	if e.command == "" {
		return fmt.Errorf("there is no go command in PATH: %w", exec.ErrNotFound)
	}
	timeout, dir := askAllTimeout, ""
	if len(names) > 0 {
		timeout, dir = askTimeout, filepath.Dir(e.command)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.command, append([]string{"env", "-json"}, names...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		said, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return &AskError{Said: artifact.Clean(said, 300), Err: err}
	}
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	asked := map[string]string{}
	if err := json.Unmarshal(out, &asked); err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	delete(asked, "GOTOOLCHAIN") // that is what it was told just now
	e.asked = asked
	return nil
}

// All are the settings of a variable, the one in force first: those after it are
// hidden by it. What the go command said when it was asked is one of them only where
// nothing else is.
//
// A variable that is empty in the environment is not set there; one that is empty in
// a file is set in no file further down, either.
func (e *Env) All(name string) []Setting {
	var all []Setting
	if value := e.getenv(name); value != "" {
		all = append(all, Setting{name, value, Environment, ""})
	}
	for _, f := range e.files {
		value, ok := f.values[name]
		if ok && value == "" {
			break
		}
		if ok {
			all = append(all, Setting{name, value, f.layer, f.name})
		}
	}
	if value := e.asked[name]; value != "" && len(all) == 0 {
		all = append(all, Setting{name, value, Default, ""})
	}
	return all
}

// Lookup is the setting of a variable that is in force.
func (e *Env) Lookup(name string) (Setting, bool) {
	if all := e.All(name); len(all) > 0 {
		return all[0], true
	}
	return Setting{}, false
}

// Value is the value of a variable that is in force, or empty.
func (e *Env) Value(name string) string {
	s, _ := e.Lookup(name)
	return s.Value
}

// First is the setting in force of the first of some variables that has one.
func (e *Env) First(names ...string) (Setting, bool) {
	for _, name := range names {
		if s, ok := e.Lookup(name); ok {
			return s, true
		}
	}
	return Setting{}, false
}

// Getenv is what the environment says of a variable, whatever the files say.
func (e *Env) Getenv(name string) string { return e.getenv(name) }

// InUserFile are the variables that go env -w has set.
func (e *Env) InUserFile() map[string]string {
	for _, f := range e.files {
		if f.layer == UserFile {
			return maps.Clone(f.values)
		}
	}
	return nil
}
