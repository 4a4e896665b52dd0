// Package sourcetest is the conformance suite of package source: every Source
// passes it. It promises nothing about speed, and knows nothing of how a Source
// comes by its artifacts.
package sourcetest

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
)

// Config says how to make the Sources to be tested.
type Config struct {
	// Open returns a Source that has exactly these artifacts, by their keys.
	Open func(t *testing.T, files map[string][]byte) source.Source
	// Broken returns a Source whose every fetch meets trouble that proves
	// nothing about the artifact.
	Broken func(t *testing.T) source.Source
}

// patience bounds what would otherwise hang.
const patience = 30 * time.Second

// Run runs the suite.
func Run(t *testing.T, c Config) {
	for name, test := range map[string]func(*testing.T, Config){
		"BringsEveryKindUnchanged":        testBrings,
		"AbsenceIsNotFound":               testAbsence,
		"TroubleIsNeverNotFound":          testTrouble,
		"AnEndedContextEndsTheFetch":      testContextBefore,
		"AnEndedContextEndsTheBody":       testContextDuring,
		"CloseGivesBackWhatTheBodyHolds":  testClose,
		"ChecksRefuseWhatIsNotOfItsKind":  testChecks,
		"NextEndsAndNeverProvesAbsence":   testNext,
		"ManyMayFetchAtOneTime":           testConcurrent,
		"TheSameIsBroughtAgainAfterClose": testAgain,
	} {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

const (
	mod     = "example.com/Some/mod"
	version = "v1.2.3"
)

// artifacts are names of all kinds with contents that pass every check.
func artifacts() map[artifact.Name][]byte {
	info := []byte(`{"Version":"v1.2.3","Time":"2020-01-02T03:04:05Z","Origin":{"VCS":"git"}}`)
	return map[artifact.Name][]byte{
		{Kind: artifact.List, Module: mod}:                                                  []byte("v1.0.0\nv1.2.3\n"),
		{Kind: artifact.Latest, Module: mod}:                                                info,
		{Kind: artifact.Query, Module: mod, Version: "main#1%2f+x"}:                         info,
		{Kind: artifact.Info, Module: mod, Version: version}:                                info,
		{Kind: artifact.Mod, Module: mod, Version: version}:                                 []byte("module example.com/Some/mod\n"),
		{Kind: artifact.Zip, Module: mod, Version: version}:                                 Zip(mod, version, 64<<10),
		{Kind: artifact.SumSupported, DB: "sum.example.org/db"}:                             {},
		{Kind: artifact.SumLatest, DB: "sum.example.org/db"}:                                []byte("go.sum database tree\n1\nx\n\n— note\n"),
		{Kind: artifact.SumLookup, DB: "sum.example.org/db", Module: mod, Version: version}: []byte("0\nexample.com/Some/mod v1.2.3 h1:x\n"),
		{Kind: artifact.SumTile, DB: "sum.example.org/db", Tile: "tile/8/0/000"}:            bytes.Repeat([]byte("<\x00"), 16),
	}
}

func byKey(named map[artifact.Name][]byte) map[string][]byte {
	files := map[string][]byte{}
	for n, data := range named {
		files[n.Key()] = data
	}
	return files
}

// Zip returns the zip of a module version with a go.mod and a file of so many
// random bytes.
func Zip(mod, version string, size int) []byte {
	random := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(random) // never fails
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, data := range map[string][]byte{"go.mod": []byte("module " + mod + "\n"), "random": random} {
		f, _ := w.CreateHeader(&zip.FileHeader{Name: mod + "@" + version + "/" + name}) // a bytes.Buffer takes everything
		f.Write(data)
	}
	w.Close()
	return buf.Bytes()
}

// files lends temporary files of a test.
type files struct{ dir string }

func (f files) Spool() (*os.File, error) { return os.CreateTemp(f.dir, "spool") }

func (f files) Unspool(file *os.File) error { return errors.Join(file.Close(), os.Remove(file.Name())) }

// Receive reads a blob to its end, closes it and runs its Check, as a cache
// does. The Spool is closed with the test.
func Receive(t *testing.T, n artifact.Name, b *blob.Blob) (*blob.Spool, error) {
	t.Helper()
	memory := 1 << 20
	if n.Kind == artifact.Zip {
		memory = 0
	}
	s := blob.NewSpool(memory, files{t.TempDir()})
	t.Cleanup(func() { s.Close() })
	defer b.Close()
	if _, err := io.Copy(s, b.Reader()); err != nil {
		return s, err
	}
	if b.Size >= 0 && b.Size != s.Size() {
		t.Errorf("%v: ended cleanly after %d of %d bytes", n, s.Size(), b.Size)
	}
	if b.Check == nil {
		return s, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return s, b.Check(ctx, s)
}

// fetch fetches and receives.
func fetch(ctx context.Context, t *testing.T, s source.Source, n artifact.Name) ([]byte, error) {
	t.Helper()
	b, err := s.Fetch(ctx, n)
	if err != nil {
		return nil, err
	}
	spool, err := Receive(t, n, b)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(spool, 0, spool.Size()))
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func testBrings(t *testing.T, c Config) {
	named := artifacts()
	s := c.Open(t, byKey(named))
	for n, want := range named {
		got, err := fetch(patient(t), t, s, n)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes, %v; want %d bytes", n, len(got), err, len(want))
		}
	}
}

func testAbsence(t *testing.T, c Config) {
	s := c.Open(t, map[string][]byte{"example.com/other/@v/list": []byte("v1.0.0\n")})
	for n := range artifacts() {
		_, err := s.Fetch(patient(t), n)
		if artifact.Class(err) != artifact.ErrNotFound {
			t.Errorf("%v: got %v, want ErrNotFound", n, err)
		}
	}
}

func testTrouble(t *testing.T, c Config) {
	s := c.Broken(t)
	for n := range artifacts() {
		_, err := fetch(patient(t), t, s, n)
		switch artifact.Class(err) {
		case artifact.ErrBadUpstream, artifact.ErrTimeout, artifact.ErrUnavailable:
		default:
			t.Errorf("%v: got %v, which is no trouble of an upstream", n, err)
		}
	}
}

func testContextBefore(t *testing.T, c Config) {
	named := artifacts()
	s := c.Open(t, byKey(named))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for n := range named {
		if n.Kind == artifact.SumSupported {
			continue // may need no waiting at all
		}
		if _, err := s.Fetch(cancelled, n); !errors.Is(err, context.Canceled) || artifact.Class(err) != nil {
			t.Errorf("%v, cancelled: got %v", n, err)
		}
		if _, err := s.Fetch(late, n); !errors.Is(err, context.DeadlineExceeded) || artifact.Status(err) != 504 {
			t.Errorf("%v, too late: got %v", n, err)
		}
	}
}

func testContextDuring(t *testing.T, c Config) {
	n := artifact.Name{Kind: artifact.Zip, Module: mod, Version: version}
	s := c.Open(t, map[string][]byte{n.Key(): Zip(mod, version, 4<<20)})
	ctx, cancel := context.WithCancel(patient(t))
	b, err := s.Fetch(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := io.ReadFull(b.Reader(), make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, b.Reader()); !errors.Is(err, context.Canceled) {
		t.Errorf("the body went on to %v after its context had ended", err)
	}
}

func testClose(t *testing.T, c Config) {
	n := artifact.Name{Kind: artifact.Zip, Module: mod, Version: version}
	s := c.Open(t, map[string][]byte{n.Key(): Zip(mod, version, 1<<20)})
	ctx := patient(t)
	for i := range 140 { // more than any Source has under way at one time
		b, err := s.Fetch(ctx, n)
		if err != nil {
			t.Fatalf("after %d bodies that were closed unread: %v", i, err)
		}
		b.Close()
	}
}

func testAgain(t *testing.T, c Config) {
	n := artifact.Name{Kind: artifact.Mod, Module: mod, Version: version}
	want := artifacts()[n]
	s := c.Open(t, map[string][]byte{n.Key(): want})
	for range 3 {
		if got, err := fetch(patient(t), t, s, n); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// wrong are artifacts that are not what their names say.
func wrong() map[artifact.Name][]byte {
	page := []byte("<!DOCTYPE html>\n<html><body>Please log in</body></html>\n")
	cut := Zip(mod, version, 64<<10)
	return map[artifact.Name][]byte{
		{Kind: artifact.List, Module: mod}:                           page,
		{Kind: artifact.Latest, Module: mod}:                         page,
		{Kind: artifact.Query, Module: mod, Version: "main"}:         []byte(`{"Version":"main"}`),
		{Kind: artifact.Info, Module: mod, Version: version}:         []byte(`{"Version":"v1.2.4"}`),
		{Kind: artifact.Mod, Module: mod, Version: version}:          page,
		{Kind: artifact.Mod, Module: mod, Version: "v1.2.4"}:         {},
		{Kind: artifact.Zip, Module: mod, Version: version}:          cut[:len(cut)-100],
		{Kind: artifact.Zip, Module: mod, Version: "v1.2.4"}:         Zip(mod, version, 1),
		{Kind: artifact.Zip, Module: mod + "/v2", Version: "v2.0.0"}: page,
	}
}

func testChecks(t *testing.T, c Config) {
	named := wrong()
	s := c.Open(t, byKey(named))
	for n := range named {
		_, err := fetch(patient(t), t, s, n)
		if artifact.Class(err) != artifact.ErrBadUpstream {
			t.Errorf("%v: got %v, want ErrBadUpstream", n, err)
		}
	}
}

func testNext(t *testing.T, c Config) {
	named := wrong()
	s := c.Open(t, byKey(named))
	for n := range named {
		b, err := s.Fetch(patient(t), n)
		for bodies := 0; err == nil; bodies++ {
			if bodies > 100 {
				t.Fatalf("%v: Next brings bad bodies for ever", n)
			}
			if _, err = Receive(t, n, b); err != nil && b.Next != nil {
				b, err = b.Next(patient(t), err)
			}
		}
		if artifact.Class(err) != artifact.ErrBadUpstream {
			t.Errorf("%v: at the end: %v, want the cause", n, err)
		}
	}
}

func testConcurrent(t *testing.T, c Config) {
	named := artifacts()
	s := c.Open(t, byKey(named))
	var wg sync.WaitGroup
	for range 8 {
		for n, want := range named {
			wg.Go(func() {
				if got, err := fetch(patient(t), t, s, n); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%v: %d bytes, %v", n, len(got), err)
				}
			})
		}
	}
	wg.Wait()
}
