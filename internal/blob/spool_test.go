package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/blob"
)

// files lends temporary files and counts those that were not given back.
type files struct {
	dir  string
	mu   sync.Mutex
	lent int
}

func (f *files) Spool() (*os.File, error) {
	f.mu.Lock()
	f.lent++
	f.mu.Unlock()
	return os.CreateTemp(f.dir, "spool-*")
}

func (f *files) Unspool(file *os.File) error {
	f.mu.Lock()
	f.lent--
	f.mu.Unlock()
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

func random(n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(data)
	return data
}

func TestEveryFollowerGetsTheWholeReleasedBody(t *testing.T) {
	for name, memory := range map[string]int{"memory": 8 << 20, "file": 0, "memory then file": 100 << 10} {
		t.Run(name, func(t *testing.T) {
			want := random(3 << 20)
			lender := &files{dir: t.TempDir()}
			s := blob.NewSpool(memory, lender)
			var readers sync.WaitGroup
			for i := range 8 {
				f := s.Follow(t.Context())
				readers.Go(func() {
					defer f.Close()
					var got bytes.Buffer
					var err error
					if i%2 == 0 {
						_, err = f.WriteTo(&got)
					} else {
						_, err = io.Copy(struct{ io.Writer }{&got}, struct{ io.Reader }{f})
					}
					if err != nil || !bytes.Equal(got.Bytes(), want) {
						t.Errorf("reader %d: %d bytes, %v", i, got.Len(), err)
					}
				})
			}
			for part := range bytesIn(want, 33<<10) {
				if _, err := s.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			s.Release()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			readers.Wait()
			if lender.lent != 0 {
				t.Errorf("%d temporary files were not given back", lender.lent)
			}
		})
	}
}

func bytesIn(data []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			part := data[:min(n, len(data))]
			data = data[len(part):]
			if !yield(part) {
				return
			}
		}
	}
}

func TestNobodyGetsTheLastBlockBeforeRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blob.NewSpool(1<<20, nil)
		defer s.Close()
		f := s.Follow(t.Context())
		defer f.Close()
		data := random(300 << 10)
		if _, err := s.Write(data); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		done := make(chan error, 1)
		go func() {
			_, err := f.WriteTo(&got)
			done <- err
		}()
		synctest.Wait()
		if n := got.Len(); n != len(data)-blob.HeldBack {
			t.Errorf("before the release the reader has %d of %d bytes", n, len(data))
		}
		s.Release()
		if err := <-done; err != nil || got.Len() != len(data) {
			t.Errorf("after it: %d bytes, %v", got.Len(), err)
		}
	})
}

func TestAFailedBodyEndsForNobodyCleanly(t *testing.T) {
	bad := errors.New("checksum mismatch")
	s := blob.NewSpool(1<<20, nil)
	f, late := s.Follow(t.Context()), s.Follow(t.Context())
	if _, err := s.Write(random(10)); err != nil {
		t.Fatal(err)
	}
	s.Fail(bad)
	s.Release() // too late
	s.Close()
	for _, r := range []*blob.Follower{f, late} {
		if data, err := io.ReadAll(r); !errors.Is(err, bad) || len(data) != 0 {
			t.Errorf("a reader got %d bytes and %v", len(data), err)
		}
		r.Close()
	}
}

func TestAFollowerStopsWaitingWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := blob.NewSpool(1<<20, nil)
		defer s.Close()
		f := s.Follow(ctx)
		defer f.Close()
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Read = %v", err)
		}
	})
}

func TestASpoolWithoutRoomFailsTheWriter(t *testing.T) {
	full := errors.New("no space left")
	s := blob.NewSpool(10, noFiles{full})
	defer s.Close()
	if _, err := s.Write(random(5)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(random(6)); !errors.Is(err, full) {
		t.Errorf("Write = %v", err)
	}
}

type noFiles struct{ err error }

func (n noFiles) Spool() (*os.File, error) { return nil, n.err }
func (n noFiles) Unspool(*os.File) error   { return nil }

func TestReadAllKeepsToItsLimit(t *testing.T) {
	for _, b := range []*blob.Blob{
		blob.FromBytes(blob.Info{}, random(11)),
		{Info: blob.Info{Size: -1}, Body: io.NopCloser(bytes.NewReader(random(11)))},
	} {
		if _, err := b.ReadAll(10); !errors.Is(err, blob.ErrTooLarge) {
			t.Errorf("ReadAll(10) of 11 bytes = %v", err)
		}
	}
	b := &blob.Blob{Info: blob.Info{Size: 11}, Body: io.NopCloser(bytes.NewReader(random(11)))}
	if data, err := b.ReadAll(11); err != nil || len(data) != 11 {
		t.Errorf("ReadAll(11) = %d bytes, %v", len(data), err)
	}
}

func TestCompressOnlyWhatGetsSmaller(t *testing.T) {
	if blob.Compress(random(10<<10)) != nil || blob.Compress(bytes.Repeat([]byte("a"), 100)) != nil {
		t.Error("compressed what does not shrink, or is too small")
	}
	if got := blob.Compress(bytes.Repeat([]byte("v1.2.3\n"), 1000)); got == nil || len(got) > 700 {
		t.Errorf("a list of 7,000 bytes became %d", len(got))
	}
}
