package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source/pool"
)

// "weir upstreams" ends with 0 while all is well and with 1 when an upstream is
// out of order; 2 is for wrong use. What it prints for machines is what the server
// says, and holds no secret.
func TestTheCommandUpstreamsTellsByItsExitCode(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/m", "v1.0.0"))
	machine, err := modtest.NewMachine(t, p)
	if err != nil {
		t.Fatal(err)
	}
	withSecret := strings.Replace(machine.URL, "http://", "http://ci:s3cr3t@", 1)
	variable, _ := configFile(t, fmt.Sprintf("upstream: company\nupstreams:\n  company: {url: %q}\n", withSecret))
	w := startWeir(t, variable)
	path := "/example.com/m/@v/v1.0.0.mod"
	w.want(t, path, truth(t, p, path))
	run := func(code int, args ...string) (stdout string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "weir", append([]string{"upstreams"}, args...)...)
		var out, problem bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problem
		cmd.Run() // its exit code tells
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("weir upstreams %q ended with %d, not %d: %s%s", args, got, code, &out, &problem)
		}
		if strings.Contains(out.String()+problem.String(), "s3cr3t") {
			t.Errorf("weir upstreams %q shows a secret: %s%s", args, &out, &problem)
		}
		return out.String()
	}
	status := func(code int) pool.Status {
		t.Helper()
		var u admin.Upstreams
		if err := json.Unmarshal([]byte(run(code, "--server", w.url, "--json")), &u); err != nil || len(u.Upstreams) != 1 {
			t.Fatalf("%+v, %v", u, err)
		}
		return u.Upstreams[0]
	}

	if s := status(0); s.Name != "company" || s.State != pool.Healthy || s.Requests != 1 || len(s.Errors) != 0 || s.Since.IsZero() {
		t.Errorf("while all is well: %+v", s)
	}
	machine.Kill()
	for i := range 6 {
		w.get(t, fmt.Sprintf("/example.com/m%d/@latest", i))
	}
	run(1, "--server", w.url)
	s := status(1)
	if s.State != pool.Broken && s.State != pool.Probing || s.LastError == "" || s.LastErrorAt.IsZero() || s.ErrorRate < 0.5 || len(s.Errors) == 0 {
		t.Errorf("after failures: %+v", s)
	}
	run(2, "--server", "localhost")
	run(2, "--no-such-flag")
	run(1, "--server", machine.URL)
}
