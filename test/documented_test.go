package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documentedServer is the server of nginx that a page of the documentation shows.
func documentedServer(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "```nginx\n")
	server, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("docs/%s shows no server of nginx", page)
	}
	return server
}

// location is a location of nginx: its modifier, its path, what is done there.
var location = regexp.MustCompile(`(?s)location (= )?(\S+) \{([^}]*)\}`)

// denied reports whether nginx keeps a path back: an exact location counts before any other,
// and then the longest beginning.
//
// Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#location
func denied(server, path string) bool {
	longest, what := -1, ""
	for _, l := range location.FindAllStringSubmatch(server, -1) {
		switch {
		case l[1] != "" && l[2] == path:
			return strings.Contains(l[3], "deny all")
		case l[1] == "" && strings.HasPrefix(path, l[2]) && len(l[2]) > longest:
			longest, what = len(l[2]), l[3]
		}
	}
	return strings.Contains(what, "deny all")
}

func TestTheDocumentedTLSProxyKeepsBackTheOperationOnly(t *testing.T) {
	server := documentedServer(t, "operations.md")
	for path, want := range map[string]bool{
		"/": false, "/example.com/a/@v/list": false, "/sumdb/sum.example.org/latest": false, "/readyz": false, "/-/whoami": false,
		"/metrics": true, "/-/api/v1/upstreams": true, "/-/debug/pprof/heap": true,
	} {
		if denied(server, path) != want {
			t.Errorf("%s: kept back: %v, want %v", path, !want, want)
		}
	}
}
