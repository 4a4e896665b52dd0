//go:build !race

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// benchWorld is a machine from which mirrors are seen: hosts with TLS that are reached
// through an HTTP proxy, and a project that needs some modules.
type benchWorld struct {
	forge   *modtest.Forge
	env     []string
	project string
	modules []modtest.Module
	db      *modtest.SumDB
}

func newBenchWorld(t *testing.T) *benchWorld {
	t.Helper()
	dir := t.TempDir()
	forge, err := modtest.NewForge(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	b := &benchWorld{forge: forge, project: filepath.Join(dir, "project"), modules: []modtest.Module{
		simple("example.com/one", "v1.0.0"), simple("example.com/two", "v1.3.0"), modtest.BigModule("example.com/three", "v0.1.0", 200<<10),
	}}
	origin := modtest.New(b.modules...)
	b.db = modtest.NewSumDB("sum.example.com", origin)
	dbURL := b.db.Start(t)
	netrc := filepath.Join(dir, "netrc")
	b.write(t, netrc, "machine private.example.com login u password s3cr3t\n")
	b.env = append(os.Environ(),
		"HOME="+dir, "GOENV=off", "GOFLAGS=", "GOPRIVATE=", "GONOPROXY=", "GONOSUMDB=", "GOAUTH=netrc", "NETRC="+netrc,
		"HTTPS_PROXY="+forge.Tunnel(t), "NO_PROXY=127.0.0.1", "SSL_CERT_FILE="+forge.CAFile,
		"GOPROXY=https://proxy.example.com,direct", "GOSUMDB="+strings.TrimSuffix(b.db.GOSUMDB(), " "+dbURL)+" "+dbURL,
	)
	b.write(t, filepath.Join(b.project, "go.mod"), "module example.com/project\n")
	b.write(t, filepath.Join(b.project, "go.sum"), b.sums(t))
	return b
}

func (b *benchWorld) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sums is what go.sum would say of the modules, as far as their names go: the hashes
// come from the checksum database.
func (b *benchWorld) sums(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, m := range b.modules {
		text.WriteString(m.Path + " " + m.Version + " h1:unknown\n" + m.Path + " " + m.Version + "/go.mod h1:unknown\n")
	}
	return text.String()
}

// mirror lets a host serve modules.
func (b *benchWorld) mirror(host string, modules ...modtest.Module) *modtest.Proxy {
	p := modtest.New(modules...)
	b.forge.Handle(host, p)
	return p
}

// bench runs weir bench and wants it to end with a code.
func (b *benchWorld) bench(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "weir", append([]string{"bench"}, args...)...)
	cmd.Dir, cmd.Env = b.project, b.env
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	cmd.Run() // its exit code tells
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("weir bench %q ended with %d, not %d: %s%s", args, got, code, &out, &problem)
	}
	return out.String(), problem.String()
}

// benchReport is what the command prints for machines, as far as it matters here.
type benchReport struct {
	Mirrors []struct {
		Name, State, Problem, Protocol string
		SumDB                          string `json:"checksum_database"`
		Succeeded, Failed, Proven      int
		Connect, TLS, Zip              benchLatency
		FirstByte                      benchLatency `json:"first_byte"`
		Info                           benchLatency
		Throughput                     float64 `json:"bytes_per_second"`
	}
	GOPROXY string `json:"recommended_goproxy"`
}

type benchLatency struct {
	Samples []float64 `json:"samples_ms"`
	P50     float64   `json:"p50_ms"`
}

func (b *benchWorld) report(t *testing.T, code int, args ...string) (r benchReport) {
	t.Helper()
	out, problem := b.bench(t, code, append([]string{"--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s%s", err, out, problem)
	}
	return r
}

// The whole path: names, TLS, real sockets. What tells the mirrors apart is planted and
// nothing that a busy machine could turn around.
func TestBenchRanksRealMirrors(t *testing.T) {
	t.Parallel()
	b := newBenchWorld(t)
	good := b.mirror("good.example.com", b.modules...)
	b.db.MirrorAt(good)
	b.mirror("lossy.example.com", b.modules...).Break("", modtest.Flap(modtest.Status(http.StatusBadGateway, 0)))
	b.mirror("portal.example.com").Break("", modtest.HTML)
	b.mirror("limits.example.com").Break("", modtest.Status(http.StatusTooManyRequests, time.Minute))
	changed := slices.Clone(b.modules)
	changed[0].Files = map[string]string{"one.go": "package one\n\nfunc init() { println(\"gotcha\") }\n"}
	b.mirror("liar.example.com", changed...)

	r := b.report(t, 1, "--time", "60s", "https://liar.example.com", "https://portal.example.com", "https://limits.example.com", "https://lossy.example.com", "https://good.example.com")
	var order []string
	for _, m := range r.Mirrors {
		order = append(order, strings.TrimSuffix(strings.TrimPrefix(m.Name, "https://"), ".example.com")+" "+m.State)
	}
	if want := []string{"good works", "lossy works", "limits limits", "portal fails", "liar lies"}; !slices.Equal(order, want) {
		t.Fatalf("the order is %q: %+v", order, r)
	}
	best := r.Mirrors[0]
	if best.Failed != 0 || best.Proven == 0 || best.SumDB != "yes" || best.Protocol != "HTTP/1.1" || best.Throughput <= 0 {
		t.Errorf("the best is %+v", best)
	}
	for what, l := range map[string]benchLatency{"connect": best.Connect, "TLS": best.TLS, "first byte": best.FirstByte, "info": best.Info, "zip": best.Zip} {
		if len(l.Samples) == 0 || l.P50 <= 0 {
			t.Errorf("%s: %+v", what, l)
		}
	}
	if r.GOPROXY != "https://good.example.com,direct" {
		t.Errorf("recommended is %s", r.GOPROXY)
	}
}

// What a mirror takes longer is measured: never less than was planted.
func TestBenchMeasuresPlantedLatency(t *testing.T) {
	t.Parallel()
	b := newBenchWorld(t)
	const latency, rate = 40, 2 << 20 // ms, bytes a second
	b.mirror("far.example.com", b.modules...).SetLatency(latency * time.Millisecond)
	b.mirror("thin.example.com", b.modules...).Break(".zip", modtest.Slow(rate))
	r := b.report(t, 0, "--time", "60s", "https://far.example.com", "https://thin.example.com")
	for _, m := range r.Mirrors {
		switch m.Name {
		case "https://far.example.com":
			if m.Info.P50 < latency || m.FirstByte.P50 < latency || m.Zip.P50 < latency {
				t.Errorf("far away: %+v", m)
			}
		case "https://thin.example.com":
			if m.Throughput == 0 || m.Throughput > 2*rate {
				t.Errorf("%d bytes a second are measured as %.0f", rate, m.Throughput)
			}
		}
	}
}

// Credentials of a URL and of netrc go where they belong, and are shown nowhere.
func TestBenchShowsNoCredentials(t *testing.T) {
	t.Parallel()
	b := newBenchWorld(t)
	b.mirror("proxy.example.com", b.modules...)
	b.mirror("private.example.com", b.modules...)
	b.mirror("other.example.com", b.modules...)
	b.forge.Require("private.example.com", "u", "s3cr3t")
	b.forge.Require("proxy.example.com", "user", "s3cr3t")
	b.env = append(b.env, "GOPROXY=https://user:s3cr3t@proxy.example.com|https://private.example.com|https://other.example.com,direct")
	page := filepath.Join(t.TempDir(), "page.html")
	text, complaints := b.bench(t, 0, "--time", "60s", "--html", page)
	asJSON, _ := b.bench(t, 0, "--time", "60s", "--json")
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for what, shown := range map[string]string{"the table": text, "standard error": complaints, "JSON": asJSON, "the page": string(html)} {
		if strings.Contains(shown, "s3cr3t") {
			t.Errorf("%s shows a secret: %s", what, shown)
		}
	}
	if n := strings.Count(text, " works, "); n != 3 {
		t.Errorf("%d of 3 mirrors work: %s", n, text)
	}
	for _, r := range b.forge.Requests() {
		if r.Host == "other.example.com" && r.Authorization != "" {
			t.Fatalf("credentials went to %s", r.Host)
		}
	}
}
