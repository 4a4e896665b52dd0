package share

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsRememberedIsForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecent[int, string](time.Minute, 10)
		r.Put(1, "one")
		time.Sleep(30 * time.Second)
		if v, ok := r.Get(1); !ok || v != "one" {
			t.Errorf("got %q, %v", v, ok)
		}
		time.Sleep(31 * time.Second)
		if _, ok := r.Get(1); ok {
			t.Error("it is remembered for ever")
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	r := NewRecent[int, int](time.Minute, 10)
	for i := range 1000 {
		r.Put(i, i)
		if v, ok := r.Get(i); !ok || v != i {
			t.Fatalf("%d is not remembered", i)
		}
	}
	if len(r.values) != 10 {
		t.Errorf("%d values are kept", len(r.values))
	}
}
