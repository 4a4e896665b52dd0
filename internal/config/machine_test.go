package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheMachineIsAskedAsTheGoCommandDoes(t *testing.T) {
	const goroot = "GOPROXY=https://goroot.example.com\nGOSUMDB=sum.golang.google.cn\n"
	for _, c := range []struct {
		name      string
		user      string // go env file of the user
		goroot    string // go.env of the installation
		variables []string
		key       string
		want      string
		from      string
	}{
		{"installation", "", goroot, nil, "upstream", "https://goroot.example.com", "GOPROXY in ROOT"},
		{"installation", "", goroot, nil, "sumdb", "sum.golang.google.cn", "GOSUMDB in ROOT"},
		{"file of the user", "GOPROXY=https://user.example.com\n", goroot, nil, "upstream", "https://user.example.com", "GOPROXY in go env file USER"},
		{"last line of the user", "GOFLAGS=-v\nGOPROXY=direct", goroot, nil, "upstream", "direct", "GOPROXY in go env file USER"},
		{"later line of the user", "GOPROXY=off\nGOPROXY=direct\n", goroot, nil, "upstream", "direct", "GOPROXY in go env file USER"},
		{"comments and odd lines", "#GOPROXY=off\n GOPROXY=off\ngoproxy=off\nGOPROXY\n=\n\n", goroot, nil, "upstream", "https://goroot.example.com", "GOPROXY in ROOT"},
		{"equals sign in the value", "GOPROXY=https://user.example.com/?a=b\n", goroot, nil, "upstream", "https://user.example.com/?a=b", "GOPROXY in go env file USER"},
		{"environment", "GOPROXY=off\n", goroot, []string{"GOPROXY=https://env.example.com"}, "upstream", "https://env.example.com", "GOPROXY"},
		{"empty in the environment", "", goroot, []string{"GOPROXY="}, "upstream", "https://goroot.example.com", "GOPROXY in ROOT"},
		{"empty in the file of the user", "GOSUMDB=\n", goroot, nil, "sumdb", "sum.golang.org", "default"},
		{"no checksum database anywhere", "", "GOPROXY=direct\n", nil, "sumdb", "sum.golang.org", "default"},
		{"no file of the user", "", goroot, []string{"GOENV=off"}, "upstream", "https://goroot.example.com", "GOPROXY in ROOT"},
		{"file of the user that is absent", "", goroot, []string{"GOENV=/nonexistent/env"}, "upstream", "https://goroot.example.com", "GOPROXY in ROOT"},

		{"private", "GOPRIVATE=a.example.com, b.example.com/*,\n", goroot, nil, "private", "a.example.com,b.example.com/*", "GOPRIVATE in go env file USER"},
		{"private is not proven", "GOPRIVATE=a.example.com\n", goroot, nil, "no_sumdb", "a.example.com", "GOPRIVATE in go env file USER"},
		{"GONOPROXY replaces GOPRIVATE", "GOPRIVATE=a.example.com\n", goroot, []string{"GONOPROXY=none"}, "private", "none", "GONOPROXY"},
		{"GONOPROXY does not concern proofs", "GOPRIVATE=a.example.com\n", goroot, []string{"GONOPROXY=none"}, "no_sumdb", "a.example.com", "GOPRIVATE in go env file USER"},
		{"GONOSUMDB replaces GOPRIVATE", "GOPRIVATE=a.example.com\n", goroot, []string{"GONOSUMDB=b.example.com"}, "no_sumdb", "b.example.com", "GONOSUMDB"},
		{"GONOSUMDB does not concern upstreams", "GOPRIVATE=a.example.com\n", goroot, []string{"GONOSUMDB=b.example.com"}, "private", "a.example.com", "GOPRIVATE in go env file USER"},
		{"nothing private", "", goroot, nil, "private", "", "default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			user := write(t, filepath.Join(t.TempDir(), "env"), c.user)
			environ := machine(t, c.goroot, append([]string{"GOENV=" + user}, c.variables...)...)
			goroot, _ := environ("GOROOT")
			from := map[string]string{
				"GOPROXY in ROOT": "GOPROXY in " + filepath.Join(goroot, "go.env"), "GOSUMDB in ROOT": "GOSUMDB in " + filepath.Join(goroot, "go.env"),
				"GOPROXY in go env file USER": "GOPROXY in go env file " + user, "GOPRIVATE in go env file USER": "GOPRIVATE in go env file " + user,
			}[c.from]
			if from == "" {
				from = c.from
			}
			cfg, provenance := load(t, Flags{}, environ)
			if got := textOf(t, cfg, c.key); got != c.want || provenance[c.key] != from {
				t.Errorf("%s is %q from %q, want %q from %q", c.key, got, provenance[c.key], c.want, from)
			}
		})
	}
}

func TestTheGoEnvFileOfTheUserIsInTheConfigurationFolder(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	folder, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, filepath.Join(folder, "go", "env"), "GOPROXY=https://user.example.com\n")
	cfg, from := load(t, Flags{}, machine(t, goEnvText, "GOENV="))
	if got := cfg.Upstream.Reveal(); got != "https://user.example.com" || from["upstream"] != "GOPROXY in go env file "+file {
		t.Errorf("upstream is %q from %q", got, from["upstream"])
	}
}

func TestTheInstallationIsFoundFromTheGoCommand(t *testing.T) {
	for _, c := range []struct{ name, command, link string }{
		{"in bin", "bin/go", ""},
		{"in a folder of bin", "bin/linux_arm/go", ""},
		{"linked", "bin/go", "usr/bin/go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			goEnv := write(t, filepath.Join(root, "sdk", "go.env"), "GOPROXY=https://sdk.example.com\n")
			command := writeCommand(t, filepath.Join(root, "sdk", filepath.FromSlash(c.command)), "exit 1")
			if c.link != "" {
				command = filepath.Join(root, filepath.FromSlash(c.link))
				link(t, "../../sdk/bin/go", command)
			}
			t.Setenv("PATH", filepath.Dir(command))
			cfg, from := load(t, Flags{}, machine(t, "", "GOROOT="))
			if got := cfg.Upstream.Reveal(); got != "https://sdk.example.com" || from["upstream"] != "GOPROXY in "+goEnv {
				t.Errorf("upstream is %q from %q, want that of %s", got, from["upstream"], goEnv)
			}
		})
	}
}

func TestAGoCommandWithoutAnInstallationIsAsked(t *testing.T) {
	dir := t.TempDir()
	writeCommand(t, filepath.Join(dir, "go"), `[ "$*" = "env -json GOPROXY GOSUMDB GOPRIVATE GONOPROXY GONOSUMDB" ] && [ "$GOTOOLCHAIN" = local ] &&
echo '{"GOPROXY": "https://asked.example.com", "GOSUMDB": "off", "GOPRIVATE": "", "GONOPROXY": "", "GONOSUMDB": ""}'`)
	t.Setenv("PATH", dir)
	cfg, from := load(t, Flags{}, machine(t, "", "GOROOT="))
	if got := cfg.Upstream.Reveal(); got != "https://asked.example.com" || from["upstream"] != "GOPROXY in go env" || cfg.Sumdb != "off" {
		t.Errorf("upstream is %q from %q, sumdb %q", got, from["upstream"], cfg.Sumdb)
	}
}

func TestTheGoCommandIsNotRunWithoutNeed(t *testing.T) {
	dir := t.TempDir()
	marker := filepath.Join(dir, "ran")
	writeCommand(t, filepath.Join(dir, "go"), ">"+marker)
	t.Setenv("PATH", dir)
	upstream, sumdb := "off", "off"
	load(t, Flags{Upstream: &upstream, Sumdb: &sumdb}, machine(t, "", "GOROOT="))
	if _, err := os.Stat(marker); err == nil {
		t.Error("the go command was run although upstream and checksum database are given")
	}
	loadError(t, Flags{Upstream: &upstream}, machine(t, "", "GOROOT=", "WEIR_LISTEN=x"))
	if _, err := os.Stat(marker); err != nil {
		t.Error("the go command was not run, so that the test proves nothing")
	}
}

func TestAGoCommandThatFailsIsPassedOver(t *testing.T) {
	for name, script := range map[string]string{"failure": "exit 1", "no JSON": "echo hello", "other JSON": `echo '[1]'`} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeCommand(t, filepath.Join(dir, "go"), script)
			t.Setenv("PATH", dir)
			if got := loadError(t, Flags{}, machine(t, "", "GOROOT=")); got != errNoUpstream.Error() {
				t.Errorf("got %s", got)
			}
		})
	}
}

// writeCommand writes a script for the shell.
func writeCommand(t *testing.T, name, script string) string {
	t.Helper()
	write(t, name, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(name, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}
