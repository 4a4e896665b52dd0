// Package settings knows what the go command of this machine is told: by its variables and
// the files behind them, in the folder that the doctor is called in.
//
// It says what is in force and where that comes from, what follows for a module (may a proxy
// hear of it, may git be used for it), which command changes it, and what is wrong with it.
// All checks of it look at this machine only; besides go env, once, nothing is run, and nobody
// is asked. What it shows to people has no secrets in it: no users of URLs, no queries, no
// arguments of commands that print credentials.
//
// Sources: the Go Modules Reference; go help environment; cmd/go/internal/modfetch, auth, vcs
// and toolchain.
package settings

import (
	"context"
	"strings"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/folder"
	"github.com/goweir/weir/internal/client/gocmd"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/goenv"
)

// Settings are what the go command is told in a folder of this machine.
type Settings struct {
	*goenv.Env
	Dir       string // the folder
	Folder    folder.Folder
	Entries   []Entry // of GOPROXY
	ListError error   // of GOPROXY: it has no entries
	Probe     Probe
	askError  error // of go env
}

// asks is how often go env is tried, which a machine under load may keep waiting.
const asks = 2

// Read reads the settings in a folder, given the environment.
func Read(ctx context.Context, getenv func(string) string, dir string) *Settings {
	s := &Settings{Env: goenv.Load(getenv), Dir: dir}
	for range asks {
		if s.askError = s.Ask(ctx); s.askError == nil || ctx.Err() != nil {
			break
		}
	}
	s.Folder = folder.Open(dir, mainmod.SettingsOf(s.Env))
	s.Entries, s.ListError = s.entries()
	s.Probe = s.chooseProbe()
	return s
}

// Checks are those that need nothing but the settings.
func (s *Settings) Checks() []*check.Check {
	command := &check.Check{ID: "go-command", Run: s.checkGo}
	checks := []*check.Check{command, {ID: "go-version", After: []*check.Check{command}, Run: check.Still(s.checkVersion)}}
	for _, c := range []struct {
		id    string
		check func() check.Result
	}{
		{"gotoolchain", s.checkToolchain}, {"goproxy", s.checkList}, {"gosumdb", s.checkSumDB}, {"goprivate", s.checkPatterns},
		{"govcs", s.checkVCS}, {"goflags", s.checkFlags}, {"goauth", s.checkAuth}, {"go111module", s.checkModules},
		{"netrc", s.checkNetrc}, {"http-proxy", s.checkHTTPProxy}, {"ca-files", s.CAFiles}, {"hidden", s.checkHidden},
	} {
		checks = append(checks, &check.Check{ID: c.id, Run: check.Still(c.check)})
	}
	return checks
}

// Set is the command that sets a variable where it is set now. A value that may have secrets
// is shown without them, so that a person has to complete it.
func (s *Settings) Set(name, value string) check.Fix {
	shown := govars.Redact(name, value)
	switch {
	case s.isExported(name):
		return check.ByHand("export " + check.Quote(name+"="+shown))
	case shown != value:
		return check.ByHand("go env -w " + check.Quote(name+"="+shown))
	}
	return goEnv("-w", name+"="+value)
}

// Unset is the command that takes a variable back to what it is by default.
func (s *Settings) Unset(name string) check.Fix {
	if s.isExported(name) {
		return check.ByHand("unset " + name)
	}
	return goEnv("-u", name)
}

// isExported reports whether a variable is set in the environment.
func (s *Settings) isExported(name string) bool {
	found, ok := s.Lookup(name)
	return ok && found.Layer == goenv.Environment
}

// goEnv is go env with arguments.
func goEnv(args ...string) check.Fix {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = check.Quote(arg)
	}
	return check.Safe("go env "+strings.Join(quoted, " "), func(ctx context.Context) error {
		// Another version of Go is not needed for it, and may be what is wrong.
		_, err := gocmd.Command{Env: []string{"GOTOOLCHAIN=local"}}.Run(ctx, append([]string{"env"}, args...)...)
		return err
	})
}

// From says where a variable is set, for people.
func (s *Settings) From(name string) string {
	found, ok := s.Lookup(name)
	switch {
	case !ok:
		return name
	case found.Layer == goenv.Environment:
		return name + " in the environment"
	}
	return found.Origin()
}
