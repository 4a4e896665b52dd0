package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

const canary = "c4n4ry-s3cret"

// spy remembers all it is sent.
type spy struct {
	mu   sync.Mutex
	seen strings.Builder
}

func (s *spy) note(r *http.Request) {
	dump, _ := httputil.DumpRequest(r, false)
	user, password, _ := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Write(dump)
	s.seen.WriteString(user + ":" + password + "\n")
}

func (s *spy) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

func withUser(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("robot", canary)
	u.RawQuery = "token=" + canary
	return u.String()
}

func TestCredentialsAreSentToTheirOrigin(t *testing.T) {
	s := open(t, withUser(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "robot" || password != canary {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/moved") {
			http.Redirect(w, r, "/moved"+r.URL.Path, http.StatusFound)
			return
		}
		io.WriteString(w, goodMod)
	})), Options{})
	if got, err := get(t, s, modName); err != nil || got != goodMod {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestA17RedirectsCarryNoCredentialsElsewhere(t *testing.T) {
	var seen spy
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.note(r)
		io.WriteString(w, goodMod)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		first := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "session="+canary)
			http.Redirect(w, r, other+"/elsewhere", status)
		})
		if got, err := get(t, open(t, withUser(t, first), Options{}), modName); err != nil || got != goodMod {
			t.Errorf("%d: got %q, %v", status, got, err)
		}
	}
	if seen := seen.String(); strings.Contains(seen, canary) || strings.Contains(seen, "Authorization") {
		t.Errorf("the other host has seen\n%s", seen)
	}
}

func TestA17TheSameHostByAnotherNameSchemeOrPortIsAnother(t *testing.T) {
	base, _ := url.Parse("https://robot:" + canary + "@Proxy.example.com/x")
	var sent *http.Request
	o := newOrigin(base, Options{}.withDefaults())
	o.next = roundTripper(func(r *http.Request) { sent = r })
	for target, want := range map[string]bool{
		"https://proxy.example.com/y":          true,
		"https://PROXY.example.com:443/y":      true,
		"https://proxy.example.com:8443/y":     false,
		"http://proxy.example.com/y":           false,
		"http://proxy.example.com:443/y":       false,
		"https://sub.proxy.example.com/y":      false,
		"https://example.com/y":                false,
		"https://proxy.example.com.evil.org/y": false,
		"https://proxy.example.com@evil.org/y": false,
	} {
		req, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.RoundTrip(req); err == nil {
			t.Fatal("the request went out")
		}
		_, password, _ := sent.BasicAuth()
		if got := password == canary; got != want {
			t.Errorf("%s: credentials sent: %v, want %v", target, got, want)
		}
		if req.Header.Get("Authorization") != "" {
			t.Errorf("%s: the caller's request was changed", target)
		}
	}
}

type roundTripper func(*http.Request)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return nil, context.Canceled
}

func TestA17NoErrorShowsCredentials(t *testing.T) {
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, password, _ := r.BasicAuth()
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(status)
			fmt.Fprintln(w, "refused:", password, r.Header.Get("Authorization"), r.URL)
		}
	}
	dead := httptest.NewServer(nil)
	dead.Close()
	urls := []string{
		serve(t, echo(404)), serve(t, echo(403)), serve(t, echo(500)), serve(t, echo(200)), dead.URL,
		serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }),
		serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://x:"+canary+"@ /")
			w.WriteHeader(302)
		}),
		serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, dead.URL+"?sig="+canary, http.StatusFound)
		}),
		serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "ftp://u:"+canary+"@x/", http.StatusFound)
		}),
	}
	for _, u := range urls {
		_, err := get(t, open(t, withUser(t, u), Options{}), infoName)
		if err == nil {
			t.Errorf("%s: no error", u)
			continue
		}
		reason, hint := artifact.Explain(err)
		for _, shown := range []string{reason, hint, err.Error(), fmt.Sprintf("%+v", err)} {
			if strings.Contains(shown, canary) || strings.Contains(shown, "Basic ") {
				t.Errorf("shows the secret: %s", shown)
			}
		}
	}
}

func TestA5RedirectsEnd(t *testing.T) {
	var hops int
	s := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		hops++
		http.Redirect(w, r, fmt.Sprintf("/%d", hops), http.StatusFound)
	}), Options{})
	_, err := s.Fetch(bounded(t), modName)
	wantClass(t, "a redirect loop", err, artifact.ErrBadUpstream)
	if hops != maxRedirects || !strings.Contains(err.Error(), "more than 10 times") {
		t.Errorf("%v after %d requests", err, hops)
	}
}

func TestA5RedirectsNeverLeaveHTTPS(t *testing.T) {
	var seen spy
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.note(r)
		io.WriteString(w, goodMod)
	})
	s := openTLS(t, httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain, http.StatusFound)
	})), "", Options{})
	_, err := s.Fetch(bounded(t), modName)
	wantClass(t, "https to http", err, artifact.ErrBadUpstream)
	if seen.String() != "" {
		t.Errorf("the insecure host was asked:\n%s", seen.String())
	}
}

func TestTheFinalBodyOfARedirectCounts(t *testing.T) {
	s := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/store/object":
			io.WriteString(w, goodMod)
		case "/store/missing":
			http.NotFound(w, r)
		default:
			target := map[bool]string{true: "/store/object", false: "/store/missing"}[strings.HasSuffix(r.URL.Path, ".mod")]
			w.Header().Set("Location", target)
			w.WriteHeader(http.StatusTemporaryRedirect)
			io.WriteString(w, "module of.the/redirect\n")
		}
	}), Options{})
	if got, err := get(t, s, modName); err != nil || got != goodMod {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := s.Fetch(bounded(t), listName)
	wantClass(t, "a redirect to nothing", err, artifact.ErrNotFound)
}

func TestA5RedirectsReachNoInnerAddress(t *testing.T) {
	toOwn, toForeign := &hop{own: true, direct: true}, &hop{direct: true}
	hopTo := func(h *hop) context.Context { return context.WithValue(t.Context(), hopKey{}, h) }
	for address, public := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1::1]:443": true, "[::ffff:93.184.216.34]:80": true,
		"127.0.0.1:82": false, "10.0.0.1:443": false, "172.16.3.4:443": false, "192.168.1.1:80": false, "169.254.169.254:80": false,
		"100.64.0.1:80": false, "0.0.0.0:80": false, "0.1.2.3:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false, "198.18.0.1:80": false,
		"[::1]:80": false, "[::]:80": false, "[fe80::1%eth0]:80": false, "[fd00::1]:80": false, "[::ffff:127.0.0.1]:80": false,
		"[2002:7f00:1::]:80": false, "[2001:0:4136:e378:8000:63bf:3fff:fdd2]:80": false, "192.0.2.1:80": false,
		"[64:ff9b::7f00:1]:80": false, "[ff02::1]:80": false, "/run/socket": false,
	} {
		outside := new(guard)
		if err := outside.control(hopTo(toOwn), "tcp", "93.184.216.34:443", nil); err != nil {
			t.Fatal(err)
		}
		err := outside.control(hopTo(toForeign), "tcp", address, nil)
		if err == nil != public {
			t.Errorf("from outside to %s: %v", address, err)
		}
		if !public {
			wantClass(t, address, err, artifact.ErrBadUpstream)
		}
		if err := outside.control(hopTo(&hop{own: true}), "tcp", address, nil); err != nil {
			t.Errorf("a proxy at %s: %v", address, err)
		}
		inside := new(guard)
		inside.control(hopTo(toOwn), "tcp", "10.1.2.3:443", nil)
		if err := inside.control(hopTo(toForeign), "tcp", address, nil); err != nil {
			t.Errorf("from inside to %s: %v", address, err)
		}
	}
}

func TestA5TheDialerAsksTheGuard(t *testing.T) {
	inner := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, goodMod) })
	s := open(t, "http://proxy.example.com", Options{})
	o := s.(*client).http.Transport.(*origin)
	req, err := http.NewRequestWithContext(bounded(t), http.MethodGet, inner, nil) // as after a redirect
	if err != nil {
		t.Fatal(err)
	}
	resp, err := o.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	wantClass(t, "an inner address", err, artifact.ErrBadUpstream)
}
