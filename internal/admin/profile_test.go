package admin_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/goweir/weir/internal/admin"
)

func profile(ctx context.Context, path string) *httptest.ResponseRecorder {
	return profileOf(context.Background(), ctx, path)
}

// profileOf asks a server that ends with the first context.
func profileOf(server, ctx context.Context, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	admin.Profiles(server).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/-/debug/pprof/"+path, nil))
	return w
}

func TestProfilesAreInTheFormatOfPprof(t *testing.T) {
	for _, path := range []string{"profile?seconds=0.01", "heap", "allocs", "goroutine"} {
		w := profile(t.Context(), path)
		if w.Code != http.StatusOK || !bytes.HasPrefix(w.Body.Bytes(), []byte("\x1f\x8b")) {
			t.Errorf("%s: %d %.80q, want something compressed by gzip", path, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
}

func TestProfilesThatCannotBeMadeAreRefused(t *testing.T) {
	for path, want := range map[string]int{
		"": 404, "cmdline": 404, "symbol": 404, "profile?seconds=0": 400, "profile?seconds=-1": 400, "profile?seconds=NaN": 400,
		"profile?seconds=1e9": 400, "profile?seconds=soon": 400,
	} {
		if w := profile(t.Context(), path); w.Code != want {
			t.Errorf("%q: %d, want %d", path, w.Code, want)
		}
	}
}

func TestOneProfileIsMadeAtATimeAndEndsWithWhoAskedForIt(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		for ctx.Err() == nil { // ours below may be first
			profile(ctx, "profile?seconds=100")
		}
	}()
	for profile(t.Context(), "profile?seconds=0.001").Code != http.StatusConflict {
		// until the other one has begun
	}
	leave()
	<-left
	if w := profile(t.Context(), "profile?seconds=0.001"); w.Code != http.StatusOK {
		t.Errorf("after the other one has left: %d %s", w.Code, w.Body)
	}
}

func TestTheEndOfTheServerWaitsForNoProfile(t *testing.T) {
	server, end := context.WithCancel(t.Context())
	end()
	if w := profileOf(server, t.Context(), "profile?seconds=100"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
