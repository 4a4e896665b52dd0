//go:build unix

package direct

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/modtest"
)

const caged = "github.com/weir/caged"

// hang makes "git ls-remote" hang, with a child that would outlive it.
func hang(l leash) string {
	return `case "$self $*" in *ls-remote*) exec 9>` + l.path + `; sleep 1000 & sleep 1000;; esac`
}

func TestATimeoutKillsTheWholeProcessGroup(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	timeout := 3 * time.Second
	for !timedOutWithGit(t, f, timeout) {
		timeout *= 2
		if timeout > patience {
			t.Fatalf("git does not begin within %v", timeout/2)
		}
	}
}

// timedOutWithGit lets a fetch time out, and waits for the end of all its processes. It
// reports whether git was among them, which it is not if the machine is too slow.
func timedOutWithGit(t *testing.T, f *modtest.Forge, timeout time.Duration) bool {
	t.Helper()
	l := newLeash(t)
	s := open(t, f, wrap(t, hang(l)).use, func(o *Options) { o.Timeout = timeout })
	fetching, failed := context.WithCancelCause(patient(t))
	go func() {
		_, err := s.Fetch(patient(t), name(t, caged+"/@v/list"))
		failed(err)
	}()
	held := l.grabWhile(fetching, t)
	<-fetching.Done()
	err := context.Cause(fetching)
	if reason, _ := artifact.Explain(err); artifact.Class(err) != artifact.ErrTimeout || !strings.Contains(reason, "fetch timed out") {
		t.Fatalf("got %v", err)
	}
	if held == nil {
		return false
	}
	if _, err := io.Copy(io.Discard, held); err != nil { // ends when all processes have
		t.Error(err)
	}
	return true
}

func TestNobodyWaitingKillsTheWholeProcessGroup(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	l := newLeash(t)
	s := open(t, f, wrap(t, hang(l)).use)
	ctx, cancel := context.WithCancel(patient(t))
	failed := make(chan error, 1)
	go func() {
		_, err := s.Fetch(ctx, name(t, caged+"/@v/list"))
		failed <- err
	}()
	held := l.grab(t)
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := io.Copy(io.Discard, held); err != nil {
		t.Error(err)
	}
}

func TestCloseKillsAndWaits(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	l := newLeash(t)
	s := open(t, f, wrap(t, hang(l)).use)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Fetch(patient(t), name(t, caged+"/@v/list"))
		failed <- err
	}()
	held := l.grab(t)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; artifact.Class(err) != artifact.ErrUnavailable {
		t.Errorf("got %v", err)
	}
	if _, err := io.Copy(io.Discard, held); err != nil {
		t.Error(err)
	}
	if _, err := s.Fetch(patient(t), name(t, caged+"/@v/list")); artifact.Class(err) != artifact.ErrUnavailable {
		t.Errorf("after Close: %v", err)
	}
}

func TestAHostThatHangsHoldsUpNobodyElse(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	f.GoImport("www.example.com/slow", "www.example.com/slow git https://git.example.com/slow")
	repo(t, f, "git.example.com/slow", simple("www.example.com/slow", "v1.0.0"))
	arrived, healed := make(chan bool, 100), make(chan bool)
	f.Handle("git.example.com", hanging(arrived, healed))
	s := open(t, f, func(o *Options) { o.MaxProcesses = 2; o.MaxFetches = 5 })
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	for _, file := range []string{"list", "v1.0.0.info", "v1.0.0.zip"} {
		go s.Fetch(ctx, name(t, "www.example.com/slow/@v/"+file))
	}
	<-arrived
	mustFetch(t, s, caged+"/@v/list")
	close(healed)
}

func TestMoreThanMayWaitAreTurnedAway(t *testing.T) {
	f := newForge(t)
	l := newLeash(t)
	s := open(t, f, wrap(t, hang(l)).use, func(o *Options) { o.MaxProcesses = 1; o.MaxFetches = 5 })
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	wait := func(mod string) {
		before := s.fetches.Open()
		go s.Fetch(ctx, name(t, mod+"/@v/list"))
		for s.fetches.Open() == before { // whoever comes too early takes its place
			runtime.Gosched()
		}
	}
	refused := func(mod string) {
		_, err := s.Fetch(expired(t), name(t, mod+"/@v/list"))
		if artifact.Class(err) != artifact.ErrUnavailable || artifact.RetryAfter(err) == 0 {
			t.Errorf("%s: got %v, want to be told when to come again", mod, err)
		}
	}
	wait("github.com/weir/a")
	l.grab(t)
	wait("github.com/weir/b")
	wait("github.com/weir/c")
	refused("github.com/weir/d") // one host has what it may have
	if _, err := s.Fetch(expired(t), name(t, "bitbucket.org/weir/a/@v/list")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another host: %v", err)
	}
	wait("bitbucket.org/weir/a")
	wait("git.apache.org/a.git")
	refused("git.example.com/a.git")
}

// expired returns a context that ends soon, so that whoever may wait does not
// wait for long.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(patient(t), 10*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestAKilledCommandIsNoHarmForTheNext(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	l := newLeash(t)
	first := filepath.Join(t.TempDir(), "first")
	script := `case "$self $*" in *" fetch "*) if mkdir ` + first + ` 2>/dev/null; then touch "$GIT_DIR/shallow.lock" "$GIT_DIR/config.lock"; exec 9>` + l.path + `; sleep 1000; fi;; esac`
	s := open(t, f, wrap(t, script).use)
	ctx, cancel := context.WithCancel(patient(t))
	failed := make(chan error, 1)
	go func() {
		_, err := s.Fetch(ctx, name(t, caged+"/@v/v1.0.0.zip"))
		failed <- err
	}()
	held := l.grab(t)
	cancel()
	<-failed
	if _, err := io.Copy(io.Discard, held); err != nil {
		t.Error(err)
	}
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
}

func TestTooMuchDiskSpaceEndsAFetch(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	l := newLeash(t)
	script := `case "$self $*" in *ls-remote*) exec 9>` + l.path + `; head -c 3000000 /dev/zero > "$TMPDIR/big"; sleep 1000;; esac`
	s := open(t, f, wrap(t, script).use, func(o *Options) { o.MaxDisk = 2 << 20 })
	failed := make(chan error, 1)
	go func() {
		_, err := s.Fetch(patient(t), name(t, caged+"/@v/list"))
		failed <- err
	}()
	held := l.grab(t)
	err := <-failed
	if _, hint := artifact.Explain(err); artifact.Class(err) != artifact.ErrForbidden || !strings.Contains(err.Error(), "disk space") || !strings.Contains(hint, "direct.fetch_size") {
		t.Errorf("got %v, hint %q", err, hint)
	}
	if _, err := io.Copy(io.Discard, held); err != nil {
		t.Error(err)
	}
}

// allowedNames are the variables that commands may see. The go command
// adds those of compilers, and the shell the last ones.
var allowedNames = regexp.MustCompile(`^(PATH|HOME|USERPROFILE|XDG_CONFIG_HOME|TMPDIR|TMP|TEMP|LC_ALL|GO[A-Z0-9]+|CC|CXX|AR|GCCGO|CGO_ENABLED|GIT_[A-Z0-9_]+|SSH_ASKPASS|SSL_CERT_FILE|HTTPS?_PROXY|GCM_INTERACTIVE|PWD|OLDPWD|SHLVL|_)$`)

func TestA7NothingOfTheEnvironmentReachesCommands(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	marker := filepath.Join(t.TempDir(), "marker")
	evil := "touch " + marker
	goEnv := filepath.Join(t.TempDir(), "goenv")
	if err := os.WriteFile(goEnv, []byte("GOPROXY=off\nGOFLAGS=-bad\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"GOFLAGS": "-bad", "GOENV": goEnv, "GOTOOLCHAIN": "go1.999.0", "GOPROXY": "off", "GOVCS": "*:off", "GOWORK": "/none", "GODEBUG": "bad=1", "GOROOT_FINAL": "x",
		"GIT_SSH_COMMAND": evil, "GIT_EXTERNAL_DIFF": evil, "GIT_PROXY_COMMAND": evil, "GIT_ASKPASS": evil, "GIT_CONFIG_PARAMETERS": "'core.sshCommand=" + evil + "'",
		"GIT_EXEC_PATH": "/none", "GIT_DIR": "/none", "GIT_TRACE": marker, "LD_LIBRARY_PATH": "/none", "WEIR_CANARY": "c4n4ry", "CC": "c4n4ry", "NO_PROXY": "*", "no_proxy": "*",
	} {
		t.Setenv(key, value)
	}
	w := wrap(t, "")
	s := open(t, f, w.use)
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
	for line := range strings.Lines(w.text(t)) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || strings.Contains(key, " ") {
			continue
		}
		if !allowedNames.MatchString(key) || strings.Contains(value, "c4n4ry") || strings.Contains(value, evil) || value == "/none" || key == "GIT_TRACE" || key == "GODEBUG" {
			t.Errorf("a command sees %s", line)
		}
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("the environment has had a command run")
	}
}

func TestA6NoTransportRunsACommand(t *testing.T) {
	f := newForge(t)
	marker := filepath.Join(t.TempDir(), "marker")
	local := repo(t, f, "git.example.com/local", simple("www.example.com/x", "v1.0.0"))
	w := wrap(t, "")
	s := open(t, f, w.use, func(o *Options) { o.VCS = []string{"git"} })
	for i, target := range []string{
		"git ext::sh%20-c%20touch%20" + marker, "git ext::sh", "git file://" + local.Dir, "git " + local.Dir, "git git://git.example.com/local", "git http://git.example.com/local",
		"git ssh://-oProxyCommand=touch%20" + marker + "/x", "git ssh://git@-oProxyCommand=x/y", "git ssh://-oProxyCommand=x@git.example.com/y", "git https://-x.example.com/y",
		"git git@git.example.com:local", "git --upload-pack=touch", "git -x", "git git+ssh://git.example.com/local", "git ftp://git.example.com/x", "git https:///x",
		"git https://user:pass@git.example.com/local", "git https://user@git.example.com/local", "git https://git.example.com:x/local", "git ssh://git.example.com/local",
		"hg --config=alias.identify=!touch", "hg https://git.example.com/local", "svn https://git.example.com/x", "bzr https://git.example.com/x", "fossil https://git.example.com/x",
		"xyz https://git.example.com/x", "mod file:///etc", "mod http://git.example.com/x", "mod ssh://git.example.com/x", "git https://git.example.com/local /etc", "git https://git.example.com/local -x",
	} {
		mod := "www.example.com/" + string(rune('a'+i))
		if i >= 26 {
			mod = "www.example.com/z" + string(rune('a'+i-26))
		}
		f.GoImport(mod, mod+" "+target)
		for _, file := range []string{"list", "v1.0.0.zip"} {
			data, err := fetch(t, s, mod+"/@v/"+file)
			if class := artifact.Class(err); err == nil || class == nil || class == artifact.ErrUnavailable {
				t.Errorf("%s: got %.100q, %v", target, data, err)
			}
		}
	}
	if calls := w.calls(t, "git "); len(calls) > 0 {
		t.Errorf("git was run: %q", calls)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a command was run")
	}
}

func TestA6NothingInARepositoryRuns(t *testing.T) {
	f := newForge(t)
	marker := filepath.Join(t.TempDir(), "marker")
	evil := "#!/bin/sh\ntouch " + marker + "\n"
	all := modtest.Commit{Tags: []string{"v1.0.0"}, Modes: files{}, Files: files{
		"go.mod": "module " + caged + "\n\ngo 1.21\n", "x.go": "package x\n", ".gitattributes": "* filter=evil diff=evil merge=evil\n",
		".gitmodules": "[submodule \"s\"]\n\tpath = s\n\turl = https://github.com/weir/caged\n\tupdate = !touch " + marker + "\n", "s": strings.Repeat("1", 40),
		".gitconfig": "[filter \"evil\"]\n\tsmudge = touch " + marker + "\n", "config": "[core]\n\tfsmonitor = touch " + marker + "\n", "HEAD": "ref: x\n", ".lfsconfig": "[lfs]\n\turl = https://lfs.example.com\n",
	}}
	all.Modes["s"] = "160000"
	for _, hook := range []string{"hooks/post-checkout", "hooks/reference-transaction", ".githooks/post-checkout"} {
		all.Files[hook], all.Modes[hook] = evil, "100755"
	}
	repo(t, f, caged, all)
	s := open(t, f)
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
	mustFetch(t, s, caged+"/@v/main.info")
	if _, err := os.Stat(marker); err == nil {
		t.Error("a command was run")
	}
	if n := f.Count("lfs.example.com"); n > 0 {
		t.Errorf("large files were asked for %d times", n)
	}
}

func TestA3NoNameReachesACommandUnchecked(t *testing.T) {
	f := newForge(t)
	w := wrap(t, "")
	s := open(t, f, w.use)
	for _, n := range []artifact.Name{
		{Kind: artifact.Zip, Module: caged, Version: "v1.0.0/../../x"}, {Kind: artifact.Query, Module: caged, Version: "-x"}, {Kind: artifact.Query, Module: caged, Version: "--upload-pack=x"},
		{Kind: artifact.Info, Module: caged, Version: "v1.0.0;id"}, {Kind: artifact.Mod, Module: caged, Version: "master"}, {Kind: artifact.List, Module: "-x.example.com/y"},
		{Kind: artifact.List, Module: "github.com/a/../b"}, {Kind: artifact.Query, Module: caged, Version: ""}, {Module: caged}, {Kind: artifact.Query, Module: caged, Version: "latest"},
		{Kind: artifact.Zip, Module: "github.com/a/b/v2", Version: "v1.0.0"}, {Kind: artifact.List, Module: "example.com/x", Version: "v1.0.0"}, {Kind: artifact.Query, Module: caged, Version: "a\nb"},
	} {
		if _, err := s.Fetch(patient(t), n); artifact.Class(err) != artifact.ErrNotFound {
			t.Errorf("%+v: %v", n, err)
		}
	}
	if calls := w.calls(t, " "); len(calls) != 1 { // the question for the version of Go
		t.Errorf("commands were run: %q", calls)
	}
}
