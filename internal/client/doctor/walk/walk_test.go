package walk

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/proxy"
	"github.com/goweir/weir/internal/client/doctor/repository"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/sums"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/fileurl"
)

// write writes files below a folder.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// zipped is a zip with one file.
func zipped(t *testing.T, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// walker walks from a folder along a folder that is a proxy and has example.com/m in two versions.
func walker(t *testing.T, goSum, rest string) *Walker {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"here/go.mod":                             "module example.com/here\n\ngo 1.24.0\n\nrequire example.com/m v1.0.0\n",
		"here/go.sum":                             goSum,
		"proxy/example.com/m/@v/list":             "v1.0.0\nv1.1.0\n",
		"proxy/example.com/m/@v/v1.0.0.info":      `{"Version":"v1.0.0"}`,
		"proxy/example.com/m/@v/v1.0.0.mod":       "module example.com/m\n",
		"proxy/example.com/m/@v/v1.0.0.zip":       zipped(t, "example.com/m@v1.0.0/go.mod", "module example.com/m\n"),
		"proxy/example.com/m/@v/v1.1.0.info":      `{"Version":"v1.1.0"}`,
		"proxy/example.com/m/@v/v1.1.0.mod":       "module example.com/other\n",
		"proxy/example.com/broken/@v/v1.0.0.info": "<!DOCTYPE html>",
	})
	variables := map[string]string{
		"GOENV": "off", "NETRC": filepath.Join(dir, "netrc"), "GOSUMDB": "off", "GOMODCACHE": filepath.Join(dir, "cache"), "GOPRIVATE": "corp.example.com", "GOVCS": "*:off",
		"GOPROXY": fileurl.Of(filepath.Join(dir, "proxy")).String() + rest,
	}
	s := settings.Read(t.Context(), func(name string) string { return variables[name] }, filepath.Join(dir, "here"))
	v := visit.New("test")
	t.Cleanup(v.Close)
	a := advice.New(s, v)
	proxies := proxy.Open(s, v, a)
	return New(s, proxies, sums.Open(s, v, a, proxies), repository.New(s, v, a))
}

func TestAWalkEndsWhereTheWayBreaks(t *testing.T) {
	const wrong = "example.com/m v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for _, c := range []struct {
		path, version, goSum, rest string
		kind, last                 string // of the result; what the last hop was for
	}{
		{"example.com/m", "v1.0.0", "", "", "", ".zip"},
		{"example.com/m", "", "", "", "other-path", ".mod"}, // the newest, whose go.mod is another's
		{"example.com/m", "v2.0.0", "", "", "major-version", "version"},
		{"example.com/m", "v1.2.0", "", "", "unknown-version", ".info"},
		{"example.com/m", "v1.2.0", "", ",off", "goproxy-off", ".info"},
		{"example.com/m/sub", "v1.0.0", "", "", "path-of-package", ".info"},
		{"example.com/M", "v1.0.0", "", "", "letter-case", ".info"},
		{"example.com/nowhere", "v1.0.0", "", "", "unknown-module", ".info"},
		{"example.com/broken", "v1.0.0", "", "", "html", ".info"},
		{"example.com/m", "v1.0.0", wrong, "", "go-sum-mismatch", "hashes"},
		{"corp.example.com/m.git", "v1.0.0", "", "", "govcs-forbids", ""},
		{"example.com/nowhere.git", "v1.0.0", "", ",direct", "govcs-forbids", ""},
	} {
		var hops []Hop
		to := walker(t, c.goSum, c.rest).To(module.Version{Path: c.path, Version: c.version}, &hops)
		r := to.Run(t.Context())
		if r.Kind != c.kind || (r.State == check.Bad) != (c.kind != "") || len(hops) == 0 {
			t.Errorf("%+v: %+v, by %+v", c, r, hops)
			continue
		}
		if last := hops[len(hops)-1]; last.What != c.last || (last.State == check.Bad) != (c.kind != "") {
			t.Errorf("%+v ends at %+v", c, last)
		}
	}
}

func TestAPrivateModuleIsNamedToNoProxy(t *testing.T) {
	var hops []Hop
	walker(t, "", "").To(module.Version{Path: "corp.example.com/m.git", Version: "v1.0.0"}, &hops).Run(t.Context())
	for _, h := range hops {
		if strings.HasPrefix(h.Where, "file:") {
			t.Errorf("a proxy was asked: %+v", hops)
		}
	}
}

func TestRequirementsAreThoseThatHaveToBeFetched(t *testing.T) {
	w := walker(t, "", "")
	checks := w.Requirements("", nil)
	if len(checks) != 1 {
		t.Fatalf("%d checks", len(checks))
	}
	if r := checks[0].Run(t.Context()); r.State != check.OK {
		t.Errorf("got %+v", r)
	}
	if checks := w.Requirements("example.com/m", nil); len(checks) > 0 {
		t.Error("what is looked at elsewhere is looked at twice")
	}
	write(t, w.settings.Value("GOMODCACHE"), map[string]string{"cache/download/example.com/m/@v/v1.0.0.mod": "module example.com/m\n"})
	if checks := w.Requirements("", nil); len(checks) > 0 {
		t.Error("what is in the module cache is looked at")
	}
}
