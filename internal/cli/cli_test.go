package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/cli"
)

// run runs a command line in an environment of its own.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "WEIR_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("GOENV", "off")
	t.Setenv("GOPROXY", "https://user:canary@proxy.example.com,direct")
	var out, errs strings.Builder
	code = cli.Main(args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestACheckWarnsOfPrivateModulesThatCannotBeFetched(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte("direct: {go: /no/such/command}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for private, warned := range map[string]bool{"corp.example.com": true, "": false} {
		code, stdout, stderr := run(t, "config", "check", "--config", file, "--private", private)
		if code != 0 || !strings.Contains(stdout, "good") || strings.Contains(stderr, "warning: private modules cannot be fetched") != warned {
			t.Errorf("--private %q: exit %d\nstdout: %s\nstderr: %s", private, code, stdout, stderr)
		}
	}
}

func TestExitCodes(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("listn: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{nil, 0, "Usage:", ""},
		{[]string{"--help"}, 0, "serve", ""},
		{[]string{"version"}, 0, "weir ", ""},
		{[]string{"config", "check"}, 0, "good", ""},
		{[]string{"config", "print"}, 0, "https://xxxxx@proxy.example.com,direct", ""},
		{[]string{"config", "schema"}, 0, `"$schema"`, ""},
		{[]string{"config", "check", "--config", bad}, 1, "", "bad.yaml:1"},
		{[]string{"config", "check", "--config", bad + ".missing"}, 1, "", "bad.yaml.missing"},
		{[]string{"serve", "--config", bad}, 1, "", "listen"},
		{[]string{"serve", "--upstream", "ftp://x"}, 1, "", "upstream"},
		{[]string{"serv"}, 2, "", "did you mean serve"},
		{[]string{"serve", "--lisen", "x"}, 2, "", "--help"},
		{[]string{"serve", "x"}, 2, "", `"x"`},
		{[]string{"version", "x"}, 2, "", `"x"`},
		{[]string{"config"}, 2, "", "check"},
		{[]string{"config", "chek"}, 2, "", "did you mean check?"},
	} {
		code, stdout, stderr := run(t, tt.args...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || (code == 0) != (stderr == "") {
			t.Errorf("weir %s: exit %d\nstdout: %s\nstderr: %s", strings.Join(tt.args, " "), code, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, "canary") {
			t.Errorf("weir %s shows a secret", strings.Join(tt.args, " "))
		}
	}
}

func TestVersionForMachines(t *testing.T) {
	_, stdout, _ := run(t, "version", "--json")
	var v struct{ Version, Go, Platform string }
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || v.Version == "" || v.Go == "" || v.Platform == "" {
		t.Errorf("%s: %v", stdout, err)
	}
}
