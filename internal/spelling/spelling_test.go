package spelling

import (
	"strings"
	"testing"
)

func TestNearestFindsWhatWasMeant(t *testing.T) {
	words := []string{"GOPROXY", "GOPRIVATE", "GONOPROXY", "GOSUMDB"}
	for word, want := range map[string]string{
		"GOPROXY": "GOPROXY", "goproxy": "GOPROXY", "GOPROXI": "GOPROXY", "GOPRIVAT": "GOPRIVATE", "GOSUMDDB": "GOSUMDB", "GONOPOXY": "GONOPROXY",
		"": "", "CGO_ENABLED": "", "X": "", "GOPROXY" + strings.Repeat("Y", 80): "",
	} {
		if got := Nearest(words, word); got != want {
			t.Errorf("%q is taken for %q, want %q", word, got, want)
		}
	}
	if got := Nearest(nil, "GOPROXY"); got != "" {
		t.Errorf("of no words %q is alike", got)
	}
}

func TestDistanceCountsChanges(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 2}, {"same", "same", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q are %d changes, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("from %q to %q are %d changes, want %d", c.b, c.a, got, c.want)
		}
	}
}
