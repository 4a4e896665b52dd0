package disk

import (
	"context"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/store"
	"github.com/goweir/weir/internal/store/storetest"
)

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, open(b, b.TempDir())) }

// BenchmarkGet compares the two ways to open an entry.
func BenchmarkGet(b *testing.B) {
	const key = "github.com/burntsushi/toml/@v/v1.2.3.zip"
	s := open(b, b.TempDir())
	if _, err := s.Put(context.Background(), key, strings.NewReader("zip"), store.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	get := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			got, err := s.Get(context.Background(), key)
			if err != nil {
				b.Fatal(err)
			}
			got.Close()
		}
	}
	b.Run("system", get)
	system := s.files
	s.files = opener{root: s.root}
	b.Run("os.Root", get)
	s.files = system
}
