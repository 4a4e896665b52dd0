package config

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/goweir/weir/internal/goenv"
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
	env := goenv.Load(environ.get)
	if !env.Complete() && (!isGiven(given, "upstream") || !isGiven(given, "sumdb")) {
		// Where that fails, other settings or the defaults have to do.
		_ = env.Ask(ctx, "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB")
	}
	for _, k := range machineKeys {
		if s, ok := env.First(k.variables...); ok {
			settings = append(settings, newSetting(k.key, s.Value, s.Origin()))
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
