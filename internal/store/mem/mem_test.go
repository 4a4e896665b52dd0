package mem_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/mem"
	"github.com/goweir/weir/internal/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store { return mem.New(64 << 20) })
}

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, mem.New(64<<20)) }

func put(t testing.TB, s *mem.Store, key, body string) blob.Info {
	t.Helper()
	info, err := s.Put(context.Background(), key, strings.NewReader(body), store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestGetSharesOneBlobWithoutAllocating(t *testing.T) {
	s := mem.New(1 << 20)
	put(t, s, "a/b", "body")
	first, err := s.Get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	allocs := testing.AllocsPerRun(1000, func() {
		if b, err := s.Get(ctx, "a/b"); err != nil || b != first {
			t.Fatalf("Get = %p, %v, want %p", b, err, first)
		}
	})
	if allocs > 0.1 {
		t.Errorf("Get allocates %v times", allocs)
	}
}

func TestWeightStaysWithinBound(t *testing.T) {
	const bound = 1 << 20
	s := mem.New(bound)
	for i := range 5000 {
		put(t, s, fmt.Sprintf("example.com/m/@v/v1.0.%d.mod", i), strings.Repeat("x", i%3000))
	}
	held := func() (sum int64) {
		for info, err := range s.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			sum += info.Size + int64(len(info.Key))
		}
		return sum
	}
	await(t, func() bool { return held() <= bound })
	if held() == 0 {
		t.Error("the store has forgotten everything")
	}
}

func TestBodyThatOutweighsTheStoreIsRefused(t *testing.T) {
	s := mem.New(1000)
	_, err := s.Put(t.Context(), "a", strings.NewReader(strings.Repeat("x", 1001)), store.PutOptions{})
	if !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("Put = %v, want ErrTooLarge", err)
	}
}

func TestAdmitKeepsWhatIsKnownOfTheEntry(t *testing.T) {
	s := mem.New(1 << 20)
	b := blob.FromBytes(blob.Info{Key: "a", Time: time.Unix(1, 2), ETag: `"tag"`}, []byte("body"))
	b.Gzip = []byte("compressed")
	s.Admit(b)
	got, err := s.Get(t.Context(), "a")
	if err != nil || got != b {
		t.Fatalf("Get = %+v, %v, want the admitted blob", got, err)
	}
	o := store.PutOptions{IfMatch: `"tag"`}
	if _, err := s.Put(t.Context(), "a", strings.NewReader("new"), o); err != nil {
		t.Errorf("Put with the admitted tag: %v", err)
	}
	if got, err := s.Get(t.Context(), "a"); err != nil || string(got.Data) != "new" || got.Gzip != nil {
		t.Errorf("Get = %+v, %v, want the new bytes and no compressed form of the old", got, err)
	}
}

func TestTagIsThatOfTheBytes(t *testing.T) {
	s := mem.New(1 << 20)
	one, two, three := put(t, s, "a", "x"), put(t, s, "b", "x"), put(t, s, "c", "y")
	if one.ETag != two.ETag || one.ETag == three.ETag {
		t.Errorf("tags of x, x and y are %s, %s and %s", one.ETag, two.ETag, three.ETag)
	}
}

func TestEvictedEntryIsNotExist(t *testing.T) {
	s := mem.New(2000)
	for i := range 100 {
		s.Admit(blob.FromBytes(blob.Info{Key: fmt.Sprint(i)}, bytes.Repeat([]byte{1}, 400)))
	}
	await(t, func() bool {
		var held int
		for i := range 100 {
			if _, err := s.Get(t.Context(), fmt.Sprint(i)); err == nil {
				held++
			} else if !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		}
		return held <= 2000/400
	})
}

// await waits for what goes on in the background.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("nothing has been evicted for 10 seconds")
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := mem.New(1 << 20)
	put(b, s, "github.com/burntsushi/toml/@v/v1.2.3.mod", "module")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Get(context.Background(), "github.com/burntsushi/toml/@v/v1.2.3.mod"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
