package recent

import (
	"testing"
	"time"
)

func TestWhatIsRememberedIsBoundedAndGoesWithTime(t *testing.T) {
	m := New[int](100)
	now := time.Now()
	for i := range 10_000 {
		m.Put(Digest{byte(i), byte(i >> 8)}, i, now.Add(time.Hour))
	}
	if n := len(m.entries); n != 100 {
		t.Errorf("%d entries", n)
	}
	last := Digest{byte(9999 & 0xff), byte(9999 >> 8)}
	if v, ok := m.Get(last, now); !ok || v != 9999 {
		t.Errorf("the last is %d, %v", v, ok)
	}
	if _, ok := m.Get(last, now.Add(time.Hour)); ok {
		t.Error("it is remembered too long")
	}
}
