package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// A privateWorld is a weir with private modules behind its door, and all who must not
// hear of them.
type privateWorld struct {
	*guarded
	public *modtest.Proxy // an upstream, with a checksum database
	db     *modtest.SumDB
	token  string
}

func newPrivateWorld(t *testing.T) *privateWorld {
	t.Helper()
	w := &privateWorld{public: modtest.New(simple("example.com/a", "v1.0.0"))}
	w.db = modtest.NewSumDB("sum.example.org", w.public)
	company := modtest.New(simple("corp.example.com/lib", "v1.0.0"))
	w.guarded = startGuarded(t, w.public.Start(t), fmt.Sprintf(`
routes:
- {match: [corp.example.com], upstream: %q, private: true}
`, company.Start(t)), "WEIR_SUMDB="+w.db.Key())
	w.token = w.guarded.token(t, "--user", "alice")
	w.awaitLog(t, 20*time.Second, "has been reloaded", 1)
	return w
}

// developer is a machine that holds modules to the checksum database.
func (w *privateWorld) developer(t *testing.T) *machine {
	t.Helper()
	m := w.guarded.developer(t)
	m.setenv("GOSUMDB", w.db.Key())
	return m
}

// setenv changes a variable of the machine.
func (m *machine) setenv(name, value string) {
	m.env = slices.DeleteFunc(m.env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	m.env = append(m.env, name+"="+value)
}

// getsAll checks that the go command gets private and public modules, and that nobody
// else has heard of the private ones.
func (w *privateWorld) getsAll(t *testing.T, m *machine) {
	t.Helper()
	if out, _, err := m.run(t, "get", "corp.example.com/lib@latest", "example.com/a@latest"); err != nil {
		t.Errorf("go get: %v %s", err, out)
	}
	for path := range w.public.Requests() {
		if strings.Contains(path, "corp.example.com") {
			t.Errorf("the upstream has heard of a private module: %s", path)
		}
	}
}

// withoutWeir takes weir out of PATH of the machine, and puts it into a folder elsewhere.
func (m *machine) withoutWeir(t *testing.T) (program string) {
	t.Helper()
	found, err := exec.LookPath("weir")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(found)
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(m.home(), "my programs", "weir")
	if err := os.MkdirAll(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, binary, 0o700); err != nil {
		t.Fatal(err)
	}
	dirs := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "weir"))
		return err == nil
	})
	m.setenv("PATH", strings.Join(dirs, string(filepath.ListSeparator)))
	return program
}

// One login is enough for private modules, too, whatever the machine was told before.
func TestAfterALoginPrivateModulesJustWork(t *testing.T) {
	t.Parallel()
	w := newPrivateWorld(t)
	for name, before := range map[string][]string{
		"fresh":               nil,
		"GOPRIVATE":           {"GOPRIVATE=corp.example.com,github.com/our-team"},
		"GOAUTH=off":          {"GOAUTH=off"},
		"GONOSUMDB of others": {"GONOSUMDB=example.net"},
	} {
		m := w.developer(t)
		if before != nil {
			if out, _, err := m.run(t, append([]string{"env", "-w"}, before...)...); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		}
		if out, err := m.weir(t, w.token+"\n", "login", w.url); err != nil {
			t.Errorf("%s: %v %s", name, err, out)
		}
		w.getsAll(t, m)
	}
}

func TestGOPRIVATEOfTheEnvironmentDoesNotLeadAroundTheProxy(t *testing.T) {
	t.Parallel()
	w := newPrivateWorld(t)
	m := w.developer(t)
	m.setenv("GOPRIVATE", "corp.example.com,github.com/our-team")
	out, err := m.weir(t, w.token+"\n", "login", w.url)
	if err != nil || !strings.Contains(out, `still fetches "github.com/our-team" itself`) {
		t.Errorf("%v %s", err, out)
	}
	w.getsAll(t, m)
	if out, err := m.weir(t, "", "logout", w.url); err != nil || !strings.Contains(out, "go env -u GONOPROXY") {
		t.Errorf("logout: %v %s", err, out)
	}
}

func TestTheGoCommandFindsAWeirThatIsNotInPATH(t *testing.T) {
	t.Parallel()
	w := newPrivateWorld(t)
	m := w.developer(t)
	program := m.withoutWeir(t)
	for range 2 { // the second time nothing has to be changed
		out, err := m.program(t, program, w.token+"\n", "login", w.url)
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	w.getsAll(t, m)
	out, _, err := m.run(t, "env", "GOAUTH")
	if want := "netrc;'" + program + "' auth"; err != nil || strings.TrimSpace(out) != want {
		t.Errorf("GOAUTH is %s, want %s", out, want)
	}
}

// A project may want a Go that this machine has not, and that only the proxy could bring.
func TestALoginNeedsNoOtherGo(t *testing.T) {
	t.Parallel()
	w := newPrivateWorld(t)
	m := w.developer(t)
	m.setenv("GOTOOLCHAIN", "auto")
	m.write(t, "go.mod", "module example.com/project\n\ngo 1.999.0\n")
	if out, err := m.weir(t, w.token+"\n", "login", w.url); err != nil || !strings.Contains(out, "go env -w GOPROXY="+w.url) {
		t.Errorf("%v %s", err, out)
	}
}

// What stands before a weir may keep the path back that a login asks.
func TestALoginSaysWhatKeepsItsQuestionBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certify(t, cert, key)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	status := http.StatusOK
	before := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprint(w, "<html><title>Sign in</title></html>")
	}))
	before.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	before.StartTLS()
	t.Cleanup(before.Close)
	m := newMachine(t, "", "off", "module example.com/project\n")
	m.env = append(m.env, "SSL_CERT_FILE="+cert)
	for _, status = range []int{200, 302, 403, 404, 502} {
		out, err := m.weir(t, "token\n", "login", before.URL)
		if err == nil || !strings.Contains(out, "keeps that path back") || !strings.Contains(out, "/-/whoami") || strings.Contains(out, "<html>") {
			t.Errorf("%d: %v %s", status, err, out)
		}
	}
}
