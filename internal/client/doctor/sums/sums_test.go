package sums

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/proxy"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/visit"
)

// open opens the database that the go command would ask with these settings.
func open(t *testing.T, variables map[string]string) *Database {
	t.Helper()
	dir := t.TempDir()
	s := settings.Read(t.Context(), func(name string) string {
		if name == "GOENV" || name == "NETRC" {
			return filepath.Join(dir, name)
		}
		return variables[name]
	}, dir)
	v := visit.New("test")
	t.Cleanup(v.Close)
	a := advice.New(s, v)
	return Open(s, v, a, proxy.Open(s, v, a))
}

// serve is a proxy that answers so to the question whether it has the database.
func serve(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/supported") {
			t.Errorf("it is asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestTheWayIsThatOfTheGoCommand(t *testing.T) {
	has, hasNot, refuses := serve(t, 200), serve(t, 404), serve(t, 403)
	for _, c := range []struct {
		goproxy, route, kind string
	}{
		{has, "through " + has, ""},
		{hasNot + "," + has, "through " + has, ""},
		{hasNot + ",direct", "directly", ""},
		{refuses + "|" + has, "through " + has, ""},
		{refuses + "," + has, "directly", "sumdb-blocked"},
	} {
		d := open(t, map[string]string{"GOPROXY": c.goproxy, "GOSUMDB": "sum.golang.org"})
		r := d.Way(t.Context())
		if r.Kind != c.kind || d.Route() != c.route || (r.State == check.Bad) != (c.kind != "") {
			t.Errorf("%+v: %s, %+v", c, d.Route(), r)
		}
	}
}

func TestTheDatabaseHearsOfNoPrivateModule(t *testing.T) {
	d := open(t, map[string]string{"GOPROXY": "direct", "GOSUMDB": "sum.golang.org", "GOPRIVATE": "corp.example.com"})
	if d.Hears("corp.example.com/lib") || !d.Hears("example.com/lib") {
		t.Error("it hears of what GOPRIVATE names, or of nothing")
	}
	if open(t, map[string]string{"GOSUMDB": "off"}).Hears("example.com/lib") {
		t.Error("it is off, and hears")
	}
}

func TestNothingIsCheckedWhereNobodyIsAsked(t *testing.T) {
	for _, variables := range []map[string]string{{"GOSUMDB": "off"}, {"GOSUMDB": "malformed"}, {"GOSUMDB": "sum.golang.org", "GOPROXY": "off"}} {
		if checks := open(t, variables).Checks(nil); len(checks) > 0 {
			t.Errorf("%v: %d checks", variables, len(checks))
		}
	}
}
