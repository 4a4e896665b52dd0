package recent

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsRememberedIsForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New[int, string](10)
		m.Put(1, "one", time.Now().Add(time.Minute))
		time.Sleep(time.Minute - time.Nanosecond)
		if v, ok := m.Get(1); !ok || v != "one" {
			t.Errorf("got %q, %v", v, ok)
		}
		time.Sleep(time.Nanosecond)
		if v, ok := m.Get(1); ok || v != "" {
			t.Error("it is remembered too long")
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m := New[int, int](100)
	until := time.Now().Add(time.Hour)
	for i := range 10_000 {
		m.Put(i, i, until)
		if v, ok := m.Get(i); !ok || v != i {
			t.Fatalf("%d is not remembered", i)
		}
		m.Put(i, -i, until)
		if v, _ := m.Get(i); v != -i {
			t.Fatalf("%d is %d, as it was before", i, v)
		}
	}
	if n := len(m.findings); n != 100 {
		t.Errorf("%d findings are kept", n)
	}
}

func TestWhatIsTooOldGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New[int, int](10)
		for i := range 10 {
			m.Put(i, i, time.Now().Add(time.Duration(1+i%2)*time.Minute))
		}
		time.Sleep(time.Minute)
		for i := range 5 {
			m.Put(10+i, i, time.Now().Add(time.Minute))
		}
		for _, i := range []int{1, 3, 5, 7, 9, 10, 11, 12, 13, 14} {
			if _, ok := m.Get(i); !ok {
				t.Errorf("%d is forgotten", i)
			}
		}
	})
}

// A memory that is full of what is still good finds room in no time, since others
// wait for that.
func BenchmarkPutIntoAFullMemory(b *testing.B) {
	m := New[[32]byte, struct{}](4096)
	until := time.Now().Add(time.Hour)
	for i := range b.N + 4096 {
		m.Put([32]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}, struct{}{}, until)
	}
}
