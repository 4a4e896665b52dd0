package visit

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func serve(t *testing.T, h http.HandlerFunc) *url.URL {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return parse(t, server.URL)
}

func get(t *testing.T, ctx context.Context, r Request) Answer {
	t.Helper()
	v := New("test")
	t.Cleanup(v.Close)
	if r.Max == 0 {
		r.Max = 1000
	}
	return v.Get(ctx, r)
}

func TestAnAnswerIsWhatTheServerSays(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Repeat("x", 100)+r.Header.Get("X")+r.UserAgent()))
	})
	a := get(t, t.Context(), Request{URL: u, Header: http.Header{"X": {"y"}}})
	if !a.OK() || string(a.Body) != strings.Repeat("x", 100)+"ytest" || a.Cut || a.Remote != u.Host {
		t.Errorf("got %+v", a)
	}
	if a := get(t, t.Context(), Request{URL: u, Head: 10}); !a.OK() || a.Status != http.StatusPartialContent || len(a.Body) != 10 {
		t.Errorf("a part: %+v", a)
	}
	if a := get(t, t.Context(), Request{URL: u, Max: 20}); !a.OK() || !a.Cut || len(a.Body) != 20 {
		t.Errorf("what is too long: %+v", a)
	}
}

func TestAbsenceIsNoTrouble(t *testing.T) {
	for _, status := range []int{404, 410} {
		u := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if a := get(t, t.Context(), Request{URL: u}); !a.Absent() || a.OK() {
			t.Errorf("%d: %+v", status, a)
		}
	}
}

func TestRedirectsAreFollowedAsFarAsTheGoCommandDoes(t *testing.T) {
	end := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "end") })
	u := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, end.String(), http.StatusFound) })
	if a := get(t, t.Context(), Request{URL: u}); string(a.Body) != "end" || len(a.Redirects) != 1 || a.Redirects[0] != end.Host {
		t.Errorf("got %+v", a)
	}
	loop := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	if a := get(t, t.Context(), Request{URL: loop}); a.Trouble == nil || a.Trouble.Kind != RedirectLoop {
		t.Errorf("a loop: %+v", a.Trouble)
	}
}

// trouble is the kind of trouble that a visit has.
func trouble(t *testing.T, ctx context.Context, rawURL string) string {
	t.Helper()
	a := get(t, ctx, Request{URL: parse(t, rawURL)})
	if a.Trouble == nil {
		t.Errorf("%s: no trouble, %d %s", rawURL, a.Status, a.Body)
		return ""
	}
	if strings.Contains(a.Trouble.What, "canary") {
		t.Errorf("a secret is shown: %s", a.Trouble.What)
	}
	return a.Trouble.Kind
}

func TestTroubleHasAKind(t *testing.T) {
	plain := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	secure := httptest.NewUnstartedServer(plainHandler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	gone := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	half := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "half")
	})
	for _, c := range []struct{ url, want string }{
		{"http://" + modtest.Nobody(t), Refused},
		{"https://user:canary@" + plain.Host, PlainHTTP},
		{"http://" + strings.TrimPrefix(secure.URL, "https://"), SpeaksTLS},
		{secure.URL, UnknownAuthority},
		{gone.String(), Closed},
		{half.String(), BrokeOff},
	} {
		if got := trouble(t, t.Context(), c.url); got != c.want {
			t.Errorf("%s: %s, want %s", c.url, got, c.want)
		}
	}
}

var plainHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })

func TestAServerThatSaysNothingIsSilent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if got := trouble(t, ctx, u.String()); got != Silent {
		t.Errorf("got %s", got)
	}
}

// When the time is over, what matters is how far the visit has come.
func TestTheEndOfTimeIsTroubleOfItsStage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u := parse(t, "https://proxy.example.com")
	for _, c := range []struct {
		stage  Stage
		status int
		want   string
	}{{Lookup, 0, NoDNS}, {Connect, 0, NoConnection}, {TLS, 0, NoHandshake}, {Asked, 0, Silent}, {Asked, 200, Slow}} {
		if got := explain(ctx, u, &trace{stage: c.stage}, Answer{Status: c.status}, ctx.Err()); got.Kind != c.want || got.Stage != c.stage {
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

func TestListens(t *testing.T) {
	u := serve(t, plainHandler)
	if !Listens(t.Context(), u) {
		t.Error("nothing listens")
	}
	if Listens(t.Context(), parse(t, "http://127.0.0.1:1")) {
		t.Error("something listens where nobody is")
	}
}
