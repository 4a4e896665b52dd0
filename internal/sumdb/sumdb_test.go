package sumdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/module"
	xsumdb "golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	modzip "golang.org/x/mod/zip"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/mem"
	"github.com/goweir/weir/internal/sumdb"
)

const dbName = "sum.example.com/db"

// world is a checksum database with a way to it that can lie, and who uses it.
type world struct {
	policy  sumdb.Policy
	t       *testing.T
	skey    string
	config  gosumdb.Config
	modules map[string]string // module@version -> its lines
	server  *server
	store   store.Store
	db      *sumdb.Database

	mu     sync.Mutex
	alarms []sumdb.Alarm
}

// server is the database behind one remote.
type server struct {
	ops *xsumdb.TestServer

	mu    sync.Mutex
	down  bool
	asked []string
	lie   func(n artifact.Name, honest []byte) ([]byte, error) // nil: honest
}

func newWorld(t *testing.T, change ...func(*sumdb.Options)) *world {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, dbName)
	if err != nil {
		t.Fatal(err)
	}
	config, err := gosumdb.Parse(vkey)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, skey: skey, config: config, modules: map[string]string{}, store: mem.New(64 << 20)}
	for i := range 300 { // more than a tile
		mod := fmt.Sprintf("example.com/m%d", i)
		w.modules[mod+"@v1.0.0"] = fmt.Sprintf("%s v1.0.0 h1:zip\n%s v1.0.0/go.mod h1:mod\n", mod, mod)
	}
	w.add("example.com/m1", "v1.0.0") // these have the hashes of what they hold
	w.add("example.com/m2", "v1.0.0")
	w.server = w.newServer()
	w.open(change...)
	return w
}

func (w *world) newServer() *server {
	return &server{ops: xsumdb.NewTestServer(w.skey, func(path, version string) ([]byte, error) {
		if lines, ok := w.modules[path+"@"+version]; ok {
			return []byte(lines), nil
		}
		return nil, fs.ErrNotExist
	})}
}

// open opens the database anew over the same store, as after a restart.
func (w *world) open(change ...func(*sumdb.Options)) {
	w.t.Helper()
	o := sumdb.Options{
		Remotes: []sumdb.Remote{{Source: w.server, Proxy: true}},
		Store:   w.store,
		Private: func(mod string) bool { return strings.HasPrefix(mod, "corp.example/") },
		OnAlarm: func(a sumdb.Alarm) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.alarms = append(w.alarms, a)
		},
	}
	for _, f := range change {
		f(&o)
	}
	db, err := sumdb.New(w.config, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.db = db
	w.t.Cleanup(func() { db.Close() })
}

func (w *world) add(mod, version string) {
	zipHash, err := dirhash.HashZip(w.zip(mod, version), dirhash.Hash1)
	if err != nil {
		w.t.Fatal(err)
	}
	modHash, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(goMod(mod))), nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.modules[mod+"@"+version] = fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", mod, version, zipHash, mod, version, modHash)
}

func goMod(mod string) string { return "module " + mod + "\n" }

type file struct{ name, data string }

func (f file) Path() string                 { return f.name }
func (f file) Lstat() (os.FileInfo, error)  { return info{f}, nil }
func (f file) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(f.data)), nil }

type info struct{ file }

func (i info) Name() string       { return path.Base(i.name) }
func (i info) Size() int64        { return int64(len(i.data)) }
func (i info) Mode() fs.FileMode  { return 0o644 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }

// zip makes the zip of a module and returns its file.
func (w *world) zip(mod, version string) string {
	var buf bytes.Buffer
	files := []modzip.File{file{"go.mod", goMod(mod)}, file{"a/b.go", "package b // of " + mod + "\n"}, file{"a.go", "package a\n"}}
	if err := modzip.Create(&buf, module.Version{Path: mod, Version: version}, files); err != nil {
		w.t.Fatal(err)
	}
	name := w.t.TempDir() + "/zip"
	if err := os.WriteFile(name, buf.Bytes(), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return name
}

// Fetch makes a server a remote.
func (s *server) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	s.mu.Lock()
	down, lie := s.down, s.lie
	s.asked = append(s.asked, n.Key())
	s.mu.Unlock()
	if down {
		return nil, &artifact.Error{Class: artifact.ErrTimeout, Reason: "fetch timed out"}
	}
	data, err := s.answer(ctx, n)
	if lie != nil {
		data, err = lie(n, data)
	}
	if err != nil {
		return nil, err
	}
	return &blob.Blob{Info: blob.Info{Size: -1}, Body: io.NopCloser(bytes.NewReader(data))}, nil
}

func (s *server) answer(ctx context.Context, n artifact.Name) ([]byte, error) {
	switch n.Kind {
	case artifact.SumSupported:
		return nil, nil
	case artifact.SumLatest:
		return s.ops.Signed(ctx)
	case artifact.SumLookup:
		id, err := s.ops.Lookup(ctx, module.Version{Path: n.Module, Version: n.Version})
		if err != nil {
			return nil, artifact.NotFound("unknown")
		}
		records, err := s.ops.ReadRecords(ctx, id, 1)
		if err != nil {
			return nil, err
		}
		msg, err := tlog.FormatRecord(id, records[0])
		if err != nil {
			return nil, err
		}
		signed, err := s.ops.Signed(ctx)
		return append(msg, signed...), err
	}
	t, err := tlog.ParseTilePath(n.Tile)
	if err != nil {
		return nil, err
	}
	data, err := s.ops.ReadTileData(ctx, t)
	if err != nil {
		return nil, artifact.NotFound("no such tile")
	}
	return data, nil
}

func (s *server) set(down bool, lie func(artifact.Name, []byte) ([]byte, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.lie = down, lie
}

func (s *server) count(part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.asked {
		if strings.Contains(key, part) {
			n++
		}
	}
	return n
}

// check runs bytes through Verify as the cache does.
func (w *world) check(kind artifact.Kind, mod string, data []byte) error {
	w.t.Helper()
	inner := source.Func(func(context.Context, artifact.Name) (*blob.Blob, error) {
		return blob.FromBytes(blob.Info{}, data), nil
	})
	b, err := w.db.Verify(inner, w.policy).Fetch(w.t.Context(), artifact.Name{Kind: kind, Module: mod, Version: "v1.0.0"})
	if err != nil {
		return err
	}
	s := blob.NewSpool(len(data), nil)
	defer s.Close()
	if _, err := s.Write(data); err != nil {
		w.t.Fatal(err)
	}
	if b.Check == nil {
		return nil
	}
	return b.Check(w.t.Context(), s)
}

func (w *world) checkMod(mod string) error { return w.check(artifact.Mod, mod, []byte(goMod(mod))) }

// get reads a path through the mirror.
func (w *world) get(path string) (string, error) {
	n, err := artifact.Parse("sumdb/" + dbName + "/" + path)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := w.db.Mirror().Fetch(w.t.Context(), n)
	if err != nil {
		return "", err
	}
	data, err := b.ReadAll(1 << 20)
	return string(data), err
}

func (w *world) wantAlarm(kind sumdb.AlarmKind) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.alarms {
		if a.Kind == kind && a.DB == dbName {
			return
		}
	}
	w.t.Errorf("no alarm %q among %v", kind, w.alarms)
}

func wantClass(t *testing.T, err, class error) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("error %v, want of class %v", err, class)
	}
}

func TestBytesThatTheDatabaseKnowsPass(t *testing.T) {
	w := newWorld(t)
	if err := w.checkMod("example.com/m1"); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(w.zip("example.com/m2", "v1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.check(artifact.Zip, "example.com/m2", data); err != nil {
		t.Error(err)
	}
	if len(w.alarms) > 0 {
		t.Errorf("alarms %v", w.alarms)
	}
}

func TestOneWrongByteIsRefusedAndLoud(t *testing.T) {
	w := newWorld(t)
	good, err := os.ReadFile(w.zip("example.com/m2", "v1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= byte(1 + rand.IntN(255))
		err := w.check(artifact.Zip, "example.com/m2", bad)
		if err != nil {
			continue
		}
		// Some bytes of a zip, such as times, are not part of the module.
		if h, _ := dirhash.HashZip(w.file(bad), dirhash.Hash1); h != strings.Fields(w.modules["example.com/m2@v1.0.0"])[2] {
			t.Fatalf("byte %d: accepted a zip with the hash %s", i, h)
		}
	}
	err = w.check(artifact.Mod, "example.com/m1", []byte("module evil\n"))
	wantClass(t, err, artifact.ErrIntegrity)
	reason, hint := artifact.Explain(err)
	if !strings.HasPrefix(reason, "checksum mismatch with "+dbName+": upstream bytes") || strings.Count(reason, "h1:") != 2 || hint == "" {
		t.Errorf("reason %q, hint %q", reason, hint)
	}
	w.wantAlarm(sumdb.Mismatch)
}

func (w *world) file(data []byte) string {
	name := w.t.TempDir() + "/zip"
	if err := os.WriteFile(name, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return name
}

func TestReplacementsAreProvenToo(t *testing.T) {
	w := newWorld(t)
	evil := blob.FromBytes(blob.Info{}, []byte("module evil\n"))
	evil.Next = func(context.Context, error) (*blob.Blob, error) { return evil, nil }
	inner := source.Func(func(context.Context, artifact.Name) (*blob.Blob, error) { return evil, nil })
	b, err := w.db.Verify(inner, sumdb.Require).Fetch(t.Context(), artifact.Name{Kind: artifact.Mod, Module: "example.com/m1", Version: "v1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s := blob.NewSpool(1<<10, nil)
		if _, err := s.Write(b.Data); err != nil {
			t.Fatal(err)
		}
		wantClass(t, b.Check(t.Context(), s), artifact.ErrIntegrity)
		if b, err = b.Next(t.Context(), err); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnUnknownVersionIsRefusedWithAdvice(t *testing.T) {
	w := newWorld(t)
	err := w.checkMod("example.com/unknown")
	wantClass(t, err, artifact.ErrForbidden)
	if _, hint := artifact.Explain(err); !strings.Contains(hint, "--private") {
		t.Errorf("hint %q", hint)
	}
	w.add("example.com/unknown", "v1.0.0") // the database adds records on demand
	if err := w.checkMod("example.com/unknown"); err != nil {
		t.Error(err)
	}
}

func TestA16PrivateModulesAreNamedToNobody(t *testing.T) {
	w := newWorld(t)
	if err := w.check(artifact.Mod, "corp.example/x", []byte("module anything\n")); err != nil {
		t.Errorf("a private module is held to the public database: %v", err)
	}
	_, err := w.get("lookup/corp.example/x@v1.0.0")
	wantClass(t, err, artifact.ErrForbidden)
	if reason, hint := artifact.Explain(err); !strings.Contains(hint, "GONOSUMDB") || strings.Contains(hint, "GOPRIVATE") || !strings.Contains(reason, "private") {
		t.Errorf("%q %q", reason, hint)
	}
	if n := w.server.count(""); n != 0 {
		t.Errorf("the remote saw %v", w.server.asked)
	}
}

func TestA16SupportedIsAnsweredWithoutAskingAnybody(t *testing.T) {
	w := newWorld(t)
	w.server.set(true, nil)
	if _, err := w.get("supported"); err != nil {
		t.Error(err)
	}
	if n := w.server.count(""); n != 0 {
		t.Errorf("%d questions", n)
	}
}

func TestA16NoClientIsLedToADatabaseThatIsWithheld(t *testing.T) {
	private := func(module string) bool { return strings.HasPrefix(module, "corp.example/") }
	withheld := sumdb.Withheld(private)
	for path, advice := range map[string]string{
		"supported":                            "",
		"lookup/corp.example/x@v1.0.0":         "set GONOSUMDB on the client",
		"lookup/example.com/x@v1.0.0":          "GOSUMDB to the key of the database and its URL",
		"lookup/golang.org/toolchain@v0.0.1-x": "GOSUMDB to the key of the database and its URL",
		"latest":                               "GOSUMDB to the key of the database and its URL",
		"tile/8/0/000":                         "GOSUMDB to the key of the database and its URL",
	} {
		n, err := artifact.Parse("sumdb/other.example/db/" + path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = withheld.Fetch(t.Context(), n)
		if advice == "" {
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		wantClass(t, err, artifact.ErrForbidden)
		if _, hint := artifact.Explain(err); !strings.Contains(hint, advice) {
			t.Errorf("%s: %q", path, hint)
		}
	}
}

func TestA13LiesAreRefusedAndNotStored(t *testing.T) {
	onLookup := func(f func([]byte) []byte) func(artifact.Name, []byte) ([]byte, error) {
		return func(n artifact.Name, honest []byte) ([]byte, error) {
			if n.Kind == artifact.SumLookup {
				return f(honest), nil
			}
			return honest, nil
		}
	}
	for name, tt := range map[string]struct {
		lie   func(w *world) func(artifact.Name, []byte) ([]byte, error)
		alarm sumdb.AlarmKind
	}{
		"empty answer": {func(*world) func(artifact.Name, []byte) ([]byte, error) {
			return onLookup(func([]byte) []byte { return nil })
		}, sumdb.Forged},
		"record of another module": {func(w *world) func(artifact.Name, []byte) ([]byte, error) {
			other, err := w.server.answer(t.Context(), artifact.Name{Kind: artifact.SumLookup, Module: "example.com/m7", Version: "v1.0.0"})
			if err != nil {
				t.Fatal(err)
			}
			return onLookup(func([]byte) []byte { return other })
		}, sumdb.Forged},
		"extra lines": {func(*world) func(artifact.Name, []byte) ([]byte, error) {
			return onLookup(func(honest []byte) []byte {
				return bytes.Replace(honest, []byte("example.com/m1 v1.0.0 "), []byte("example.com/m1 v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nexample.com/m1 v1.0.0 "), 1)
			})
		}, sumdb.Forged},
		"another key": {func(w *world) func(artifact.Name, []byte) ([]byte, error) {
			return onLookup(func(honest []byte) []byte {
				return bytes.Replace(honest, []byte("— "+dbName+" "), []byte("— "+dbName+" AAAA"), 1)
			})
		}, sumdb.Forged},
		"forged tile": {func(*world) func(artifact.Name, []byte) ([]byte, error) {
			return func(n artifact.Name, honest []byte) ([]byte, error) {
				if n.Kind == artifact.SumTile {
					honest[0] ^= 1
				}
				return honest, nil
			}
		}, sumdb.Forged},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range 260 { // a log of several tiles
				w.server.ops.Lookup(t.Context(), module.Version{Path: fmt.Sprintf("example.com/m%d", i), Version: "v1.0.0"})
			}
			w.server.set(false, tt.lie(w))
			wantClass(t, w.checkMod("example.com/m1"), artifact.ErrIntegrity)
			w.wantAlarm(tt.alarm)
			for info, err := range w.store.List(t.Context(), "sumdb/") {
				if err != nil || strings.Contains(info.Key, "lookup") || name == "forged tile" {
					t.Errorf("stored: %s %v", info.Key, err)
				}
			}
			w.server.set(false, nil)
			if err := w.checkMod("example.com/m1"); err != nil {
				t.Errorf("after it is honest again: %v", err)
			}
		})
	}
}

func TestA13AnotherRemoteIsAskedWhenOneLies(t *testing.T) {
	w := newWorld(t)
	liar := source.Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		return blob.FromBytes(blob.Info{}, []byte("rubbish")), nil
	})
	w.open(func(o *sumdb.Options) { o.Remotes = append([]sumdb.Remote{{Source: liar, Proxy: true}}, o.Remotes...) })
	if err := w.checkMod("example.com/m1"); err != nil {
		t.Error(err)
	}
	w.wantAlarm(sumdb.Forged)
}

func TestA13AForkIsAnAlarmAndNotBelieved(t *testing.T) {
	w := newWorld(t)
	if err := w.checkMod("example.com/m1"); err != nil {
		t.Fatal(err)
	}
	known, err := w.get("latest")
	if err != nil {
		t.Fatal(err)
	}
	w.server = w.newServer() // the same key, another history
	for i := range 20 {
		w.server.ops.Lookup(t.Context(), module.Version{Path: fmt.Sprintf("example.com/m%d", 20+i), Version: "v1.0.0"})
	}
	w.open() // the head has outlived the process
	wantClass(t, w.checkMod("example.com/m2"), artifact.ErrIntegrity)
	w.wantAlarm(sumdb.Fork)
	w.alarms = nil
	_, err = w.get("latest")
	wantClass(t, err, artifact.ErrIntegrity)
	w.wantAlarm(sumdb.Fork)
	b, err := w.store.Get(t.Context(), ".weir/sumdb/"+dbName+"/latest")
	if err != nil || string(b.Data) != known {
		t.Errorf("the stored head is %q, %v", b.Data, err)
	}
}

func TestA13AnOlderHeadIsAnAlarmAndNotServed(t *testing.T) {
	w := newWorld(t)
	old, err := w.server.ops.Signed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.checkMod("example.com/m1"); err != nil {
		t.Fatal(err)
	}
	newer, err := w.get("latest")
	if err != nil {
		t.Fatal(err)
	}
	w.server.set(false, func(n artifact.Name, honest []byte) ([]byte, error) {
		if n.Kind == artifact.SumLatest {
			return old, nil
		}
		return honest, nil
	})
	if got, err := w.get("latest"); err != nil || got != newer {
		t.Errorf("latest is %q, %v", got, err)
	}
	w.wantAlarm(sumdb.OlderHead)
}

func TestWithoutAnyWayToItWhatIsKnownIsStillProven(t *testing.T) {
	w := newWorld(t)
	if err := w.checkMod("example.com/m1"); err != nil {
		t.Fatal(err)
	}
	w.server.set(true, nil)
	w.open() // a new process
	if err := w.checkMod("example.com/m1"); err != nil {
		t.Errorf("a known version: %v", err)
	}
	err := w.checkMod("example.com/m2")
	wantClass(t, err, artifact.ErrUnavailable)
	if _, hint := artifact.Explain(err); !strings.Contains(hint, "sumdb_policy") || artifact.RetryAfter(err) == 0 {
		t.Errorf("a new version: hint %q", hint)
	}
}

func TestTheDatabaseIsReachedByWhicheverWayIsOpen(t *testing.T) {
	w := newWorld(t)
	refuses := func(err error) sumdb.Remote { return sumdb.Remote{Source: source.Refuse(err), Proxy: true} }
	direct := sumdb.Remote{Source: w.server}
	for name, remotes := range map[string][]sumdb.Remote{
		"a proxy that does not mirror it": {refuses(artifact.ErrNotFound), direct},
		"a proxy that is down":            {refuses(artifact.ErrTimeout), direct},
		"only directly":                   {direct},
		"a proxy, the database is down":   {{Source: w.server, Proxy: true}, {Source: source.Refuse(artifact.ErrTimeout)}},
	} {
		w.store = mem.New(1 << 20)
		w.open(func(o *sumdb.Options) { o.Remotes = remotes })
		if err := w.checkMod("example.com/m1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEqualLookupsAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gate := make(chan struct{})
		w.server.set(false, func(n artifact.Name, honest []byte) ([]byte, error) {
			if n.Kind == artifact.SumLookup {
				<-gate
			}
			return honest, nil
		})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := w.checkMod("example.com/m1"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(gate)
		all.Wait()
		if n := w.server.count("lookup"); n != 1 {
			t.Errorf("%d lookups", n)
		}
		w.db.Close()
	})
}

func TestAHangingRemoteIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hangs := source.Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		w.open(func(o *sumdb.Options) { o.Remotes = []sumdb.Remote{{Source: hangs}} })
		begun := time.Now()
		wantClass(t, w.checkMod("example.com/m1"), artifact.ErrUnavailable)
		if d := time.Since(begun); d > time.Minute {
			t.Errorf("after %v", d)
		}
		w.db.Close()
	})
}

// A mirror that has not found a record proves nothing while another may have it.
func TestF17NotFoundOfOneMirrorIsNotTheLastWord(t *testing.T) {
	nothing := source.Func(func(_ context.Context, n artifact.Name) (*blob.Blob, error) {
		if n.Kind == artifact.SumSupported {
			return blob.FromBytes(blob.Info{}, nil), nil
		}
		return nil, artifact.NotFound("not here")
	})
	ill := source.Refuse(&artifact.Error{Class: artifact.ErrTimeout, Reason: "fetch timed out"})
	for name, test := range map[string]struct {
		remotes func(w *world) []sumdb.Remote
		class   error
	}{
		"another has it": {func(w *world) []sumdb.Remote {
			return []sumdb.Remote{{Source: nothing, Proxy: true}, {Source: w.server, Proxy: true}}
		}, nil},
		"another cannot say": {func(*world) []sumdb.Remote {
			return []sumdb.Remote{{Source: nothing, Proxy: true}, {Source: ill, Proxy: true}}
		}, artifact.ErrUnavailable},
		"all mirrors say so":   {func(*world) []sumdb.Remote { return []sumdb.Remote{{Source: nothing, Proxy: true}, {Source: ill}} }, artifact.ErrForbidden},
		"the database says so": {func(*world) []sumdb.Remote { return []sumdb.Remote{{Source: ill, Proxy: true}, {Source: nothing}} }, artifact.ErrForbidden},
	} {
		w := newWorld(t)
		w.open(func(o *sumdb.Options) { o.Remotes = test.remotes(w) })
		if err := w.checkMod("example.com/m1"); artifact.Class(err) != test.class {
			t.Errorf("%s: %v, want %v", name, err, test.class)
		}
		w.db.Close()
	}
}

func TestWhenAvailableLetsPassAndProvesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = sumdb.WhenAvailable
		w.server.set(true, nil)
		for mod, text := range map[string]string{"example.com/m1": goMod("example.com/m1"), "example.com/m2": "module evil\n"} {
			if err := w.check(artifact.Mod, mod, []byte(text)); err != nil {
				t.Fatalf("%s does not pass: %v", mod, err)
			}
			if _, err := w.store.Put(t.Context(), mod+"/@v/v1.0.0.mod", strings.NewReader(text), store.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { w.db.Run(ctx) })
		synctest.Wait()
		if len(w.alarms) > 0 {
			t.Errorf("alarms before anything can be proven: %v", w.alarms)
		}
		w.server.set(false, nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		w.wantAlarm(sumdb.LateMismatch)
		if _, err := w.store.Get(ctx, "example.com/m1/@v/v1.0.0.mod"); err != nil {
			t.Errorf("the right bytes: %v", err)
		}
		if _, err := w.store.Get(ctx, "example.com/m2/@v/v1.0.0.mod"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the wrong bytes are still served: %v", err)
		}
		if _, err := w.store.Get(ctx, ".weir/quarantine/example.com/m2/@v/v1.0.0.mod"); err != nil {
			t.Errorf("the wrong bytes are not kept as evidence: %v", err)
		}
		for info := range w.store.List(ctx, ".weir/sumdb/"+dbName+"/pending/") {
			t.Errorf("still pending: %s", info.Key)
		}
		stop()
		run.Wait()
		w.db.Close()
	})
}

// client is a go command that reaches the database through the mirror.
type client struct {
	*world
	mu     sync.Mutex
	latest []byte
	lies   []string
}

func (c *client) ReadRemote(path string) ([]byte, error) {
	data, err := c.get(strings.TrimPrefix(path, "/"))
	return []byte(data), err
}

func (c *client) ReadConfig(file string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if file == "key" {
		return []byte(c.config.Key), nil
	}
	return c.latest, nil
}

func (c *client) WriteConfig(_ string, old, next []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !bytes.Equal(c.latest, old) {
		return xsumdb.ErrWriteConflict
	}
	c.latest = next
	return nil
}

func (c *client) ReadCache(string) ([]byte, error) { return nil, fs.ErrNotExist }
func (c *client) WriteCache(string, []byte)        {}
func (c *client) Log(string)                       {}
func (c *client) SecurityError(msg string)         { c.lies = append(c.lies, msg) }

func TestAClientProvesThroughTheMirrorAndAgainWithEverythingDown(t *testing.T) {
	w := newWorld(t)
	online := &client{world: w}
	for i := range 300 { // the log grows with each, so that each record has a head of its own
		mod := fmt.Sprintf("example.com/m%d", i)
		lines, err := xsumdb.NewClient(online).Lookup(mod, "v1.0.0")
		if err != nil || len(lines) != 1 {
			t.Fatalf("online: %s: %v, %v", mod, lines, err)
		}
	}
	w.server.set(true, nil)
	w.open()
	offline := &client{world: w} // has seen nothing
	one := xsumdb.NewClient(offline)
	for _, i := range rand.Perm(300)[:40] {
		mod := fmt.Sprintf("example.com/m%d", i)
		if _, err := xsumdb.NewClient(&client{world: w}).Lookup(mod, "v1.0.0"); err != nil {
			t.Fatalf("offline, a client that knows nothing: %s: %v", mod, err)
		}
		if _, err := one.Lookup(mod, "v1.0.0"); err != nil {
			t.Fatalf("offline, a client that looks up one after the other: %s: %v", mod, err)
		}
	}
	if len(online.lies)+len(offline.lies)+len(w.alarms) > 0 {
		t.Errorf("%v %v %v", online.lies, offline.lies, w.alarms)
	}
}

func TestPartialTilesAreCutFromProvenOnes(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.server.ops.Lookup(t.Context(), module.Version{Path: fmt.Sprintf("example.com/m%d", i), Version: "v1.0.0"})
	}
	full, err := w.get("tile/8/0/000")
	if err != nil || len(full) != 256*tlog.HashSize {
		t.Fatalf("%d bytes, %v", len(full), err)
	}
	for _, width := range []int{1, 17, 255} {
		got, err := w.get(fmt.Sprintf("tile/8/0/000.p/%d", width))
		if err != nil || got != full[:width*tlog.HashSize] {
			t.Errorf("width %d: %d bytes, %v", width, len(got), err)
		}
	}
	for path, want := range map[string]int{"tile/8/0/001.p/3": 3, "tile/8/0/001.p/44": 44, "tile/8/1/000.p/1": 1} {
		if got, err := w.get(path); err != nil || len(got) != want*tlog.HashSize {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	for _, path := range []string{"tile/8/0/001.p/45", "tile/8/0/001", "tile/8/0/x001/000", "tile/8/2/000.p/1", "tile/4/0/000"} {
		_, err := w.get(path)
		wantClass(t, err, artifact.ErrNotFound)
	}
}

func TestA13AForgedTileIsNotMirrored(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.server.ops.Lookup(t.Context(), module.Version{Path: fmt.Sprintf("example.com/m%d", i), Version: "v1.0.0"})
	}
	if _, err := w.get("latest"); err != nil {
		t.Fatal(err)
	}
	w.server.set(false, func(n artifact.Name, honest []byte) ([]byte, error) {
		if n.Kind == artifact.SumTile {
			honest[len(honest)-1] ^= 1
		}
		return honest, nil
	})
	_, err := w.get("tile/8/0/000")
	wantClass(t, err, artifact.ErrIntegrity)
	w.wantAlarm(sumdb.Forged)
}

func TestCloseWaitsForLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.open(func(o *sumdb.Options) {
			o.Remotes = []sumdb.Remote{{Source: source.Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})}}
		})
		got := make(chan error, 1)
		go func() { got <- w.checkMod("example.com/m1") }()
		synctest.Wait()
		w.db.Close()
		wantClass(t, <-got, artifact.ErrUnavailable)
		wantClass(t, w.checkMod("example.com/m1"), artifact.ErrUnavailable)
	})
}
