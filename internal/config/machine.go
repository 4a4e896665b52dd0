package config

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// machineKeys are the keys whose value the go command of the machine knows, and the
// variables that hold it, of which the first one that is set counts.
var machineKeys = []struct {
	key       string
	variables []string
}{
	{"upstream", []string{"GOPROXY"}},
	{"sumdb", []string{"GOSUMDB"}},
	{"private", []string{"GONOPROXY", "GOPRIVATE"}},
	{"no_sumdb", []string{"GONOSUMDB", "GOPRIVATE"}},
}

// machineSettings are the settings that the go command of the machine would take,
// and the folder for what can be fetched again. What is given already decides whether
// it is worth running the go command.
func machineSettings(ctx context.Context, environ environment, given []setting) []setting {
	var settings []setting
	if folder := cacheFolder(environ); folder != "" {
		settings = append(settings, newSetting("data", filepath.Join(folder, "weir"), "default"))
	}
	env := loadGoEnv(environ)
	if !isGiven(given, "upstream") || !isGiven(given, "sumdb") {
		env.ask(ctx)
	}
	for _, k := range machineKeys {
		for _, name := range k.variables {
			if value, label := env.lookup(name); value != "" {
				settings = append(settings, newSetting(k.key, value, label))
				break
			}
		}
	}
	return settings
}

func isGiven(settings []setting, key string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.key == key })
}

// cacheFolder is the folder of the user for what can be fetched again, or empty.
func cacheFolder(environ environment) string {
	if folder := environ.get("XDG_CACHE_HOME"); filepath.IsAbs(folder) {
		return folder
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return folder
}

// A goEnv finds variables of the go command as that does itself: in the environment,
// in the file that go env -w writes, in go.env of the Go installation.
//
// Source: cmd/go/internal/cfg/cfg.go, EnvFile, initEnvCache and readEnvFile.
type goEnv struct {
	environ environment
	layers  []goEnvFile
	command string // the go command, if its go.env is not to be found
}

type goEnvFile struct {
	label  string // for people
	values map[string]string
}

func loadGoEnv(environ environment) *goEnv {
	e := &goEnv{environ: environ}
	if name := goEnvName(environ); name != "" {
		e.read(name, "go env file "+name)
	}
	goroot, _ := e.lookup("GOROOT")
	command, _ := exec.LookPath("go")
	if !e.readInstallation(goroot, command) {
		e.command = command
	}
	return e
}

// goEnvName is the name of the file that go env -w writes, or empty.
func goEnvName(environ environment) string {
	switch name := environ.get("GOENV"); name {
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

// readInstallation reads go.env of the Go installation, and reports whether there
// is one. It is the installation that goroot names, or else that the go command
// belongs to, or else the one at the usual place.
func (e *goEnv) readInstallation(goroot, goCommand string) bool {
	folders := []string{goroot}
	switch {
	case goroot != "":
	case goCommand != "":
		folders = foldersAbove(goCommand)
	default:
		folders = []string{"/usr/local/go"}
	}
	for _, folder := range folders {
		name := filepath.Join(folder, "go.env")
		if e.read(name, name) {
			return true
		}
	}
	return false
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

// read adds a file of variables, and reports whether it could be read. Like the go
// command it passes over what it does not understand.
func (e *goEnv) read(name, label string) bool {
	text, err := readFile(name)
	if err != nil {
		return false
	}
	e.layers = append(e.layers, goEnvFile{label, parseGoEnv(text)})
	return true
}

// parseGoEnv reads lines of KEY=value. All others are comments.
func parseGoEnv(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if ok && line[0] >= 'A' && line[0] <= 'Z' {
			values[key] = value
		}
	}
	return values
}

// ask runs the go command if its go.env is not to be found.
func (e *goEnv) ask(ctx context.Context) {
	if e.command == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.command, "env", "-json", "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB")
	cmd.Dir = filepath.Dir(e.command)                   // away from any go.mod
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local") // no download of another go command
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	values := map[string]string{}
	if err != nil || json.Unmarshal(out, &values) != nil {
		return
	}
	e.layers = append(e.layers, goEnvFile{"go env", values})
}

// lookup returns the value of a variable and where it comes from. A variable that is
// empty in the environment is not set; one that is empty in a file is set nowhere
// further down, either.
func (e *goEnv) lookup(name string) (value, label string) {
	if value := e.environ.get(name); value != "" {
		return value, name
	}
	for _, layer := range e.layers {
		if value, ok := layer.values[name]; ok {
			return value, name + " in " + layer.label
		}
	}
	return "", ""
}
