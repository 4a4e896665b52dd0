package origin

import (
	"archive/zip"
	"bytes"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

func TestA8ZipsOfAProxyAreHeldToTheRulesOfModules(t *testing.T) {
	n := artifact.Name{Kind: artifact.Zip, Module: "example.com/x", Version: "v1.0.0"}
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
		s := blob.NewSpool(1<<20, nil)
		if _, err := s.Write(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := flaw(n, s); err == nil {
			t.Errorf("%s: nothing is found wrong", name)
		}
		s.Close()
	}
}
