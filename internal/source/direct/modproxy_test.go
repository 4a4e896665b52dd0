package direct

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/sourcetest"
)

// The modules of the conformance suite are at a module proxy that a go-import
// tag leads to. What it wants of checksum databases, which a Source has nothing
// of, is served beside it.
func TestModulesBehindAProxyConform(t *testing.T) {
	sourcetest.Run(t, sourcetest.Config{
		Open: func(t *testing.T, all map[string][]byte) source.Source {
			f := proxyForge(t)
			f.Handle("proxy.example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				data, ok := all[strings.TrimPrefix(r.URL.Path, "/go/")]
				if !ok {
					http.NotFound(w, r)
					return
				}
				http.ServeContent(w, r, "", modtest.Module{}.Time, bytes.NewReader(data))
			}))
			return withSums(open(t, f), func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
				data, ok := all[n.Key()]
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				if !ok {
					return nil, artifact.NotFound("%s", n)
				}
				return blob.FromBytes(blob.Info{}, data), nil
			})
		},
		Broken: func(t *testing.T) source.Source {
			f := proxyForge(t)
			f.Handle("proxy.example.com", always(http.StatusInternalServerError, "trouble"))
			return withSums(open(t, f), source.Refuse(artifact.ErrUnavailable).Fetch)
		},
	})
}

func proxyForge(t *testing.T) *modtest.Forge {
	f := newForge(t)
	f.GoImport("example.com/Some/mod", "example.com/Some/mod mod https://proxy.example.com/go/")
	f.GoImport("example.com/other", "example.com/other mod https://proxy.example.com/go/")
	return f
}

func withSums(s *Source, sums source.Func) source.Source {
	return source.Split(func(n artifact.Name) bool { return n.Kind.IsSum() }, sums, s)
}

func TestABodyThatIsTooLargeIsAnError(t *testing.T) {
	f := proxyForge(t)
	f.Handle("proxy.example.com", always(http.StatusOK, strings.Repeat("x", int(artifact.Info.MaxSize())+1)))
	s := open(t, f)
	wantClass(t, s, "example.com/other/@v/v1.0.0.info", artifact.ErrBadUpstream)
}

func TestAProxyIsPreferredToARepository(t *testing.T) {
	f := newForge(t)
	f.Handle("www.example.com/x", always(http.StatusOK, `<head><meta name="go-import" content="www.example.com/x git https://git.example.com/none">
<meta name="go-import" content="www.example.com/x mod https://proxy.example.com"></head>`))
	f.Handle("proxy.example.com/www.example.com/x/@v/list", always(http.StatusOK, "v1.2.3\n"))
	s := open(t, f)
	if got := mustFetch(t, s, "www.example.com/x/@v/list"); got != "v1.2.3\n" {
		t.Errorf("list = %q", got)
	}
	wantClass(t, s, "www.example.com/x/@v/v1.0.0.mod", artifact.ErrNotFound)
}
