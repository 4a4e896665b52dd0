package term

import (
	"math"
	"testing"
)

func TestSizesAreForPeople(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1550: "1.6 kB", 9949: "9.9 kB", 9951: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 1_500_000: "1.5 MB", 2_500_000_000: "2.5 GB", 66_900_000_000: "67 GB", 2e18: "2000000 TB"} {
		if got := Size(bytes); got != want {
			t.Errorf("%d is %s, want %s", bytes, got, want)
		}
		if got := Size(float64(bytes)); got != want {
			t.Errorf("%d.0 is %s, want %s", bytes, got, want)
		}
	}
	if got := Size(uint64(math.MaxUint64)); got != "18446744 TB" {
		t.Errorf("what is free without end is %s", got)
	}
}
