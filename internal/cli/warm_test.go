package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/cli"
	"github.com/goweir/weir/internal/modtest"
)

// deadProxy makes a folder with a module, and returns the URL of a proxy, with a password,
// that nobody answers at.
func deadProxy(t *testing.T) (project, url string) {
	t.Helper()
	project = t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/project\n\ngo 1.21\n\nrequire example.com/a v1.0.0\n",
		"go.sum": "example.com/a v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
	} {
		if err := os.WriteFile(filepath.Join(project, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return project, "http://user:canary@" + modtest.Nobody(t)
}

func TestWarmAndExportSayWhatIsMissingWithoutSecrets(t *testing.T) {
	project, url := deadProxy(t)
	for _, args := range [][]string{
		{"warm", "--to", url, project},
		{"warm", "--to", url, "--json", project},
		{"export", "--out", filepath.Join(t.TempDir(), "x.tar"), project},
		{"export", "--out", filepath.Join(t.TempDir(), "x.tar"), "--json", project},
	} {
		code, stdout, stderr := runAt(t, url, args...)
		if code != 1 || !strings.Contains(stdout, "example.com/a") || !strings.Contains(stdout, "refused") {
			t.Errorf("%v: %d: %s%s", args, code, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, "canary") {
			t.Errorf("%v gives a password away: %s%s", args, stdout, stderr)
		}
	}
}

func TestWarmRefusesWhatIsNoWeir(t *testing.T) {
	project, url := deadProxy(t)
	code, _, stderr := runAt(t, url, "warm", project)
	if code != 2 || !strings.Contains(stderr, "is no Weir") || strings.Contains(stderr, "canary") {
		t.Errorf("%d: %s", code, stderr)
	}
}

// runAt runs a command line where GOPROXY is this.
func runAt(t *testing.T, goproxy string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	for name, value := range map[string]string{
		"GOENV": "off", "GOPROXY": goproxy, "GOSUMDB": "off", "GOPRIVATE": "", "GONOPROXY": "", "GONOSUMDB": "", "GOWORK": "off",
		"WEIR_CONFIG": "",
	} {
		t.Setenv(name, value)
	}
	var out, errs strings.Builder
	code = cli.Main(args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}
