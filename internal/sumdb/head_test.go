package sumdb_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/store"
)

const headKey = ".weir/sumdb/" + dbName + "/latest"

// headStore counts how often the tree head is written, and can refuse to read it.
type headStore struct {
	store.Store
	puts  atomic.Int64
	blind atomic.Bool
}

func (s *headStore) Put(ctx context.Context, key string, body io.ReadSeeker, o store.PutOptions) (blob.Info, error) {
	if key == headKey {
		s.puts.Add(1)
	}
	return s.Store.Put(ctx, key, body, o)
}

func (s *headStore) Get(ctx context.Context, key string) (*blob.Blob, error) {
	if key == headKey && s.blind.Load() {
		return nil, errors.New("input/output error")
	}
	return s.Store.Get(ctx, key)
}

func TestAStoredHeadThatGoesWrongIsNoTroubleForLookups(t *testing.T) {
	replace := func(t *testing.T, s *headStore, text string) {
		if _, err := s.Store.Put(t.Context(), headKey, strings.NewReader(text), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, spoil := range map[string]func(*testing.T, *headStore){
		"it is gone": func(t *testing.T, s *headStore) {
			if err := s.Delete(t.Context(), headKey); err != nil {
				t.Fatal(err)
			}
		},
		"it is empty":    func(t *testing.T, s *headStore) { replace(t, s, "") },
		"it is nonsense": func(t *testing.T, s *headStore) { replace(t, s, "nonsense\n") },
		"it cannot be read": func(t *testing.T, s *headStore) {
			replace(t, s, "as another process has left it\n")
			s.blind.Store(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := &headStore{Store: w.store}
			w.store = s
			w.open()
			if err := w.checkMod("example.com/m1"); err != nil {
				t.Fatal(err)
			}
			spoil(t, s)
			s.puts.Store(0)
			for _, lookup := range []func() error{
				func() error { return w.checkMod("example.com/m2") },
				func() error { _, err := w.get("lookup/example.com/m3@v1.0.0"); return err },
				func() error { _, err := w.get("latest"); return err },
			} {
				if err := lookup(); err != nil {
					t.Error(err)
				}
			}
			if n := s.puts.Load(); n > 4 {
				t.Errorf("the head was written %d times", n)
			}
		})
	}
}

func TestAHeadThatIsGoneIsStoredAgain(t *testing.T) {
	w := newWorld(t)
	if err := w.checkMod("example.com/m1"); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Delete(t.Context(), headKey); err != nil {
		t.Fatal(err)
	}
	if err := w.checkMod("example.com/m2"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Get(t.Context(), headKey); err != nil {
		t.Error(err)
	}
}
