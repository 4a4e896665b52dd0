package disk

import (
	"context"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/store"
)

const benchKey = "github.com/burntsushi/toml/@v/v1.2.3.zip"

func BenchmarkGet(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Put(context.Background(), "github.com/burntsushi/toml/@v/v1.2.3.zip", strings.NewReader("zip"), store.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	get := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			blob, err := s.Get(context.Background(), "github.com/burntsushi/toml/@v/v1.2.3.zip")
			if err != nil {
				b.Fatal(err)
			}
			blob.Close()
		}
	}
	b.Run("system", get)
	s.files = opener{root: s.root}
	b.Run("os.Root", get)
}
