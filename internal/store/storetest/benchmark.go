package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/goweir/weir/internal/store"
)

// Benchmark measures a store: opening an entry, reading it whole, and storing
// one, for a small body and one of 1 MiB.
func Benchmark(b *testing.B, s store.Store) {
	for _, size := range []int{1 << 10, 1 << 20} {
		data := pattern(size, 0)
		k := fmt.Sprintf("example.com/mod/@v/v1.0.0-size%d.zip", size)
		if _, err := s.Put(context.Background(), k, bytes.NewReader(data), always); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("Get/%d", size), func(b *testing.B) { benchGet(b, s, k) })
		b.Run(fmt.Sprintf("Read/%d", size), func(b *testing.B) { benchRead(b, s, k, size) })
		b.Run(fmt.Sprintf("Put/%d", size), func(b *testing.B) { benchPut(b, s, k, data) })
	}
}

func benchGet(b *testing.B, s store.Store, key string) {
	b.ReportAllocs()
	for b.Loop() {
		got, err := s.Get(context.Background(), key)
		if err != nil {
			b.Fatal(err)
		}
		got.Close()
	}
}

func benchRead(b *testing.B, s store.Store, key string, size int) {
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		got, err := s.Get(context.Background(), key)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, got.Reader()); err != nil {
			b.Fatal(err)
		}
		got.Close()
	}
}

func benchPut(b *testing.B, s store.Store, key string, data []byte) {
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := s.Put(context.Background(), key, bytes.NewReader(data), always); err != nil {
			b.Fatal(err)
		}
	}
}
