package origin

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/url"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source/sourcetest"
)

func TestA8ZipsOfAProxyAreHeldToTheRulesOfModules(t *testing.T) {
	f := newForge(t)
	n := artifact.Name{Kind: artifact.Zip, Module: "example.com/x", Version: "v1.0.0"}
	at := Repository{VCS: "mod", Location: &url.URL{Scheme: "https", Host: "proxy.example.com"}}
	for name, headers := range map[string][]*zip.FileHeader{
		"other prefix": {{Name: "example.com/x@v1.0.1/go.mod"}}, "parent": {{Name: "example.com/x@v1.0.0/../y"}}, "absolute": {{Name: "/etc/passwd"}},
		"device": {{Name: "example.com/x@v1.0.0/aux"}}, "symlink": {{Name: "example.com/x@v1.0.0/l", ExternalAttrs: 0o120777 << 16, CreatorVersion: 3 << 8}},
		"bomb": {{Name: "example.com/x@v1.0.0/a", UncompressedSize64: 400 << 20, Method: zip.Deflate}, {Name: "example.com/x@v1.0.0/b", UncompressedSize64: 400 << 20, Method: zip.Deflate}},
	} {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, h := range headers {
			if _, err := w.CreateRaw(h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f.Handle("proxy.example.com", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(b.Bytes()) }))
		got, err := newClient(t, f).Fetch(patient(t), at, n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sourcetest.Receive(t, n, got); artifact.Class(err) != artifact.ErrBadUpstream {
			t.Errorf("%s: %v", name, err)
		}
	}
}
