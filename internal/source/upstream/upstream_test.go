package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/source/sourcetest"
)

const (
	mod     = "example.com/M"
	version = "v1.2.3"
)

var (
	listName = artifact.Name{Kind: artifact.List, Module: mod}
	infoName = artifact.Name{Kind: artifact.Info, Module: mod, Version: version}
	modName  = artifact.Name{Kind: artifact.Mod, Module: mod, Version: version}
	zipName  = artifact.Name{Kind: artifact.Zip, Module: mod, Version: version}
)

// short are timeouts for servers that hang.
var short = Options{Timeouts: Timeouts{FirstByte: 300 * time.Millisecond, Stall: 300 * time.Millisecond}}

// serve starts a server that ends with the test.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func open(t *testing.T, url string, o Options) source.Source {
	t.Helper()
	s, err := New(url, o)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := s.(*client); ok {
		t.Cleanup(c.http.Transport.(*origin).next.(*http.Transport).CloseIdleConnections)
	}
	return s
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// get fetches an artifact as a cache does, with its Check.
func get(t *testing.T, s source.Source, n artifact.Name) (string, error) {
	t.Helper()
	b, err := s.Fetch(bounded(t), n)
	if err != nil {
		return "", err
	}
	spool, err := sourcetest.Receive(t, n, b)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.NewSectionReader(spool, 0, spool.Size()))
	return string(data), err
}

// wantClass checks the class of an error, and that it is fit to be shown.
func wantClass(t *testing.T, what string, err, class error) {
	t.Helper()
	if artifact.Class(err) != class {
		t.Errorf("%s: got %v, want the class %v", what, err, class)
		return
	}
	if reason, _ := artifact.Explain(err); reason == "" || strings.TrimSpace(reason) != artifact.Clean(reason, 648) {
		t.Errorf("%s: the reason %q cannot be shown", what, reason)
	}
}

func serveFiles(t *testing.T, files map[string][]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[strings.TrimPrefix(r.URL.Path, "/base/")]
		if !ok {
			http.Error(w, "not found: no such file", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(data)
	}
}

func ill(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "ill", http.StatusInternalServerError)
}

func TestHTTPConforms(t *testing.T) {
	for _, slash := range []string{"", "/"} {
		sourcetest.Run(t, sourcetest.Config{
			Open: func(t *testing.T, files map[string][]byte) source.Source {
				return open(t, serve(t, serveFiles(t, files))+"/base"+slash, Options{MaxConcurrent: 4})
			},
			Broken: func(t *testing.T) source.Source { return open(t, serve(t, ill), Options{}) },
		})
	}
}

func TestDirectoryConforms(t *testing.T) {
	sourcetest.Run(t, sourcetest.Config{
		Open: func(t *testing.T, files map[string][]byte) source.Source {
			dir := t.TempDir()
			for key, data := range files {
				path := filepath.Join(dir, filepath.FromSlash(key))
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			return open(t, "file://"+filepath.ToSlash(dir), Options{})
		},
		Broken: func(t *testing.T) source.Source {
			return open(t, "file://"+filepath.ToSlash(filepath.Join(t.TempDir(), "not-mounted")), Options{})
		},
	})
}

func TestChainOfUpstreamsConforms(t *testing.T) {
	sourcetest.Run(t, sourcetest.Config{
		Open: func(t *testing.T, files map[string][]byte) source.Source {
			return source.Chain(
				source.Link{Name: "empty", Source: open(t, serve(t, serveFiles(t, nil)), Options{})},
				source.Link{Name: "full", Source: open(t, serve(t, serveFiles(t, files))+"/base", Options{})},
			)
		},
		Broken: func(t *testing.T) source.Source {
			return source.Chain(
				source.Link{Name: "ill", Source: open(t, serve(t, ill), Options{}), FallBackOnError: true},
				source.Link{Name: "empty", Source: open(t, serve(t, serveFiles(t, nil)), Options{})},
			)
		},
	})
}

func TestNewRefusesWhatIsNoUpstream(t *testing.T) {
	for _, url := range []string{"", "proxy.example.com", "ftp://a.example", "https://", "https:///x", "https://u:s3cret@/x", "https://u:s3cret/x@y", "direct"} {
		s, err := New(url, Options{})
		if err == nil || s != nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("New(%q) = %v, %v", url, s, err)
		}
	}
}

func TestRequestsLookLikeThoseOfTheGoCommand(t *testing.T) {
	var last atomic.Pointer[http.Request]
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		last.Store(r)
		http.NotFound(w, r)
	})
	for _, test := range []struct {
		base string
		name artifact.Name
		want string // request URI
	}{
		{"", listName, "/example.com/%21m/@v/list"},
		{"/", zipName, "/example.com/%21m/@v/v1.2.3.zip"},
		{"/go/proxy/", infoName, "/go/proxy/example.com/%21m/@v/v1.2.3.info"},
		{"/a%2Fb", modName, "/a%2Fb/example.com/%21m/@v/v1.2.3.mod"},
		{"/go?key=1", listName, "/go/example.com/%21m/@v/list?key=1"},
		{"", artifact.Name{Kind: artifact.Query, Module: mod, Version: "a%2f..%2fb#c"}, "/example.com/%21m/@v/a%252f..%252fb%23c.info"},
		{"", artifact.Name{Kind: artifact.SumTile, DB: "sum.example.org", Tile: "tile/8/0/x001/234.p/5"}, "/sumdb/sum.example.org/tile/8/0/x001/234.p/5"},
	} {
		_, err := open(t, url+test.base, Options{UserAgent: "weir/test"}).Fetch(bounded(t), test.name)
		wantClass(t, test.want, err, artifact.ErrNotFound)
		r := last.Load()
		if r.Method != http.MethodGet || r.RequestURI != test.want {
			t.Errorf("%v: got %s %s, want GET %s", test.name, r.Method, r.RequestURI, test.want)
		}
		encoding := map[bool]string{true: "identity", false: "gzip"}[test.name.Kind == artifact.Zip]
		if got := r.Header.Get("Accept-Encoding"); got != encoding {
			t.Errorf("%v: Accept-Encoding %q, want %q", test.name, got, encoding)
		}
		if got := r.Header.Get("User-Agent"); got != "weir/test" {
			t.Errorf("User-Agent %q", got)
		}
		for _, h := range []string{"Authorization", "Cookie", "Referer", "Range", "If-None-Match"} {
			if r.Header.Get(h) != "" {
				t.Errorf("%v: sends %s", test.name, h)
			}
		}
	}
}

func TestSumDBIsAskedWithoutTheProxysPrefix(t *testing.T) {
	const name = "sum.example.org/db"
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/x/latest", "/x/lookup/example.com/!m@v1.2.3", "/x/tile/8/0/000":
			fmt.Fprint(w, r.URL.Path)
		default:
			http.NotFound(w, r)
		}
	})
	s, err := NewSumDB(name, url+"/x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[artifact.Name]string{
		{Kind: artifact.SumSupported, DB: name}:                             "",
		{Kind: artifact.SumLatest, DB: name}:                                "/x/latest",
		{Kind: artifact.SumLookup, DB: name, Module: mod, Version: version}: "/x/lookup/example.com/!m@v1.2.3",
		{Kind: artifact.SumTile, DB: name, Tile: "tile/8/0/000"}:            "/x/tile/8/0/000",
	} {
		if got, err := get(t, s, n); err != nil || got != want {
			t.Errorf("%v: got %q, %v; want %q", n, got, err, want)
		}
	}
	for _, n := range []artifact.Name{
		{Kind: artifact.SumLatest, DB: "other.example.org"},
		{Kind: artifact.SumSupported, DB: "sum.example.org"},
		{Kind: artifact.SumTile, DB: name, Tile: "tile/8/0/001"},
		modName,
	} {
		_, err := s.Fetch(bounded(t), n)
		wantClass(t, n.String(), err, artifact.ErrNotFound)
	}
	if s, err := NewSumDB("sum.golang.org", "", Options{}); err != nil || s == nil {
		t.Errorf("a database without URL: %v", err)
	}
	if _, err := NewSumDB("sum.golang.org", "ftp://x", Options{}); err == nil {
		t.Error("ftp passed")
	}
}

func TestDirectoryOpensNothingButRegularFilesBelowIt(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	file := func(n artifact.Name) string { return filepath.Join(dir, filepath.FromSlash(n.Key())) }
	err := errors.Join(
		os.MkdirAll(file(listName), 0o700), // a directory in the place of a file
		os.WriteFile(filepath.Join(outside, "secret"), []byte("module secret\n"), 0o600),
		os.Symlink(filepath.Join(outside, "secret"), file(modName)),
		os.WriteFile(file(infoName), nil, 0o600),
		os.Truncate(file(infoName), infoName.Kind.MaxSize()+1),
	)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, "file://"+filepath.ToSlash(dir), Options{})
	for _, n := range []artifact.Name{listName, modName, infoName} {
		got, err := get(t, s, n)
		wantClass(t, n.String(), err, artifact.ErrBadUpstream)
		if reason, hint := artifact.Explain(err); got != "" || strings.Contains(reason+hint, dir) {
			t.Errorf("%v: got %q, %s %s", n, got, reason, hint)
		}
	}
}

func TestDirectoryNoticesAFileThatChangesWhileItIsRead(t *testing.T) {
	for _, size := range []int64{3, 100} {
		dir := t.TempDir()
		path := filepath.Join(dir, filepath.FromSlash(modName.Key()))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("module m\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
		b, err := open(t, "file://"+filepath.ToSlash(dir), Options{}).Fetch(bounded(t), modName)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		_, err = sourcetest.Receive(t, modName, b)
		wantClass(t, fmt.Sprint(size), err, artifact.ErrBadUpstream)
	}
}
