package advice

import (
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/goenv"
)

// adviser knows a machine of whose environment this is said.
func adviser(t *testing.T, environment map[string]string) *Adviser {
	t.Helper()
	s := &settings.Settings{Env: goenv.Load(func(name string) string { return environment[name] })}
	v := visit.New("test")
	t.Cleanup(v.Close)
	return New(s, v)
}

func TestTroubleIsExplainedByTheMachine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.pem")
	for _, c := range []struct {
		environment    map[string]string
		trouble, host  string
		kind, hintSays string
	}{
		{map[string]string{"container": "podman"}, visit.Refused, "localhost:3000", "container-localhost", "host.containers.internal"},
		{map[string]string{"container": "podman"}, visit.Refused, "proxy.example.com", visit.Refused, "start the server"},
		{nil, visit.NoDNS, "proxy.example.com", visit.NoDNS, "resolver"},
		{nil, visit.UnknownAuthority, "proxy.example.com", visit.UnknownAuthority, "GOINSECURE does not help"},
		{map[string]string{"SSL_CERT_FILE": missing}, visit.UnknownAuthority, "proxy.example.com", "ca-file-missing", "correct it"},
	} {
		r := adviser(t, c.environment).Trouble(t.Context(), &visit.Trouble{Kind: c.trouble, What: "it happened"}, &url.URL{Scheme: "https", Host: c.host})
		if r.State != check.Bad || r.Kind != c.kind || !strings.Contains(r.Hint, c.hintSays) {
			t.Errorf("%+v: %+v", c, r)
		}
	}
}

// What is no answer of a proxy is told from what the go command goes on after.
func TestStatusesAreTroubleWhereTheGoCommandStops(t *testing.T) {
	for _, c := range []struct {
		status   int
		body     string
		must     bool
		wantKind string
	}{
		{200, "v1.0.0\n", true, ""}, {200, "<!DOCTYPE html>", true, "html"}, {404, "", true, ""}, {410, "", true, ""}, {401, "", false, "unauthorized"},
		{403, "", true, "forbidden"}, {403, "", false, ""}, {451, "", true, "forbidden"}, {429, "", false, "too-many-requests"}, {502, "", false, "server-error"}, {418, "", false, "status"},
	} {
		a := visit.Answer{Status: c.status, Body: []byte(c.body), Header: http.Header{}}
		if r, ill := Status("it", a, c.must); ill != (c.wantKind != "") || r.Kind != c.wantKind {
			t.Errorf("%+v: %t, %+v", c, ill, r)
		}
	}
}

func TestWhatAServerSaysIsCitedIfItIsText(t *testing.T) {
	a := visit.Answer{Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte("no\x1b[31m entry\n")}
	if got := Saying(a); len(got) != 1 || strings.ContainsRune(got[0], '\x1b') || !strings.Contains(got[0], "entry") {
		t.Errorf("got %q", got)
	}
	a.Header.Set("Content-Type", "text/html")
	if got := Saying(a); !slices.Equal(got, nil) {
		t.Errorf("of a page: %q", got)
	}
}
