package gosum

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/h1"
)

var (
	hash  = h1.GoMod([]byte("module a.example/b\n"))
	other = h1.GoMod([]byte("module a.example/c\n"))
)

func TestALineIsReadAndWrittenAlike(t *testing.T) {
	for text, want := range map[string]Line{
		"a.example/b v1.0.0 " + hash:              {module.Version{Path: "a.example/b", Version: "v1.0.0"}, false, hash},
		"a.example/b v1.0.0/go.mod " + hash:       {module.Version{Path: "a.example/b", Version: "v1.0.0"}, true, hash},
		"a.example/b/v2 v2.1.0-rc.1 h2:x":         {module.Version{Path: "a.example/b/v2", Version: "v2.1.0-rc.1"}, false, "h2:x"},
		"a.example/b v2.0.0+incompatible " + hash: {module.Version{Path: "a.example/b", Version: "v2.0.0+incompatible"}, false, hash},
	} {
		got, err := Parse("  " + text + "\r\n")
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestWhatIsNoLineIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "<<<<<<< HEAD", "a.example/b v1.0.0", "a.example/b v1.0.0 " + hash + " more", "../b v1.0.0 " + hash, "a.example/b v1.0 " + hash,
		"a.example/b v2.0.0 " + hash, "a.example/b v1.0.0/go.sum " + hash,
	} {
		if l, err := Parse(text); err == nil || !strings.HasPrefix(err.Error(), "it ") {
			t.Errorf("%q: %+v, %v", text, l, err)
		}
	}
}

func TestOnlyLinesThatCountAreThere(t *testing.T) {
	first, second := "a.example/b v1.0.0 "+hash, "a.example/b v1.0.0/go.mod "+other
	text := first + "\n\n=======\na.example/b v1.0.0/go.mod " + emptyGoMod + "\n" + second
	var got []string
	for l := range Lines([]byte(text)) {
		got = append(got, l.String())
	}
	if want := []string{first, second}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestTheHashOfAnEmptyGoModIsTheOneThatIsPassedOver(t *testing.T) {
	if got := h1.GoMod(nil); got != emptyGoMod {
		t.Errorf("an empty go.mod has %s", got)
	}
}

func TestALineContradictsAnotherHashOfTheSameKindForTheSame(t *testing.T) {
	line := func(text string) Line {
		l, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := line("a.example/b v1.0.0 " + hash)
	for text, want := range map[string]bool{
		"a.example/b v1.0.0 " + other: true, "a.example/b v1.0.0 " + hash: false, "a.example/b v1.0.0 h2:x": false,
		"a.example/b v1.0.0/go.mod " + other: false, "a.example/b v1.0.1 " + other: false, "a.example/c v1.0.0 " + other: false,
	} {
		if l.Contradicts(line(text)) != want || line(text).Contradicts(l) != want {
			t.Errorf("%s: not %t", text, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.example/b v1.0.0/go.mod " + hash)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(l.String()); err != nil || again != l {
			t.Errorf("%q: %+v, again %+v, %v", text, l, again, err)
		}
	})
}
