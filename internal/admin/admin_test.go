package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/source/pool"
)

func TestUpstreamsAreShownAsTheyAre(t *testing.T) {
	for _, want := range [][]pool.Status{nil, {{Name: "a", State: pool.Broken, Requests: 7, LastError: "fetch timed out"}, {Name: "b", State: pool.Healthy}}} {
		h := admin.New(admin.Options{Upstreams: func() []pool.Status { return want }})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/-/api/v1/upstreams", nil))
		var got map[string][]map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		if got["upstreams"] == nil || len(got["upstreams"]) != len(want) {
			t.Errorf("%s", w.Body)
		}
		for i, s := range got["upstreams"] {
			if s["name"] != want[i].Name || s["state"] != string(want[i].State) {
				t.Errorf("%v", s)
			}
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v", w.Header())
		}
	}
}

func TestWhatIsNoQuestionIsRefused(t *testing.T) {
	h := admin.New(admin.Options{Upstreams: func() []pool.Status { return nil }})
	for request, want := range map[[2]string]int{
		{http.MethodPost, "/-/api/v1/upstreams"}:  http.StatusMethodNotAllowed,
		{http.MethodDelete, "/-/api/v1/"}:         http.StatusMethodNotAllowed,
		{http.MethodGet, "/-/api/v1/"}:            http.StatusNotFound,
		{http.MethodGet, "/-/api/v1/upstreams/x"}: http.StatusNotFound,
		{http.MethodHead, "/-/api/v1/upstreams"}:  http.StatusOK,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(request[0], request[1], nil))
		if w.Code != want {
			t.Errorf("%v: %d, want %d", request, w.Code, want)
		}
	}
}
