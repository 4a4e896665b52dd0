package flaw

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/sourcetest"
)

func TestTextsAreReadAsWhatTheirKindSays(t *testing.T) {
	name := func(k artifact.Kind) artifact.Name {
		return artifact.Name{Kind: k, Module: mod, Version: version}
	}
	sum := func(k artifact.Kind) artifact.Name {
		return artifact.Name{Kind: k, DB: "sum.example.org", Module: mod, Version: version}
	}
	page := "<html><body>Please log in</body></html>\n"
	for n, good := range map[artifact.Name]string{
		name(artifact.List):     version + "\n",
		name(artifact.Mod):      "module " + mod + "\n",
		name(artifact.Info):     `{"Version":"v1.2.3"}`,
		name(artifact.Latest):   `{"Version":"v1.2.3"}`,
		sum(artifact.SumLookup): "0\n" + mod + " v1.2.3 h1:x\n",
	} {
		find := func(data string) error {
			_, err := sourcetest.Receive(t, n, &blob.Blob{
				Info: blob.Info{Size: -1}, Body: io.NopCloser(strings.NewReader(data)), Check: of(n, false),
			})
			return err
		}
		if err := find(good); err != nil {
			t.Errorf("%s: %v", n, err)
		}
		if find(page) == nil {
			t.Errorf("%s: a web page passes", n)
		}
	}
	if of(artifact.Name{Kind: artifact.SumTile, DB: "sum.example.org", Tile: "tile/8/0/000"}, false) != nil {
		t.Error("a tile is looked at")
	}
}

func TestATextThatIsTooLargeIsNotRead(t *testing.T) {
	n := artifact.Name{Kind: artifact.List, Module: mod}
	s := blob.NewSpool(1<<30, nil)
	defer s.Close()
	s.Write(bytes.Repeat([]byte("v1.0.0\n"), int(n.Kind.MaxSize())/7+1))
	if err := of(n, false)(t.Context(), s); err == nil || err.Error() != TooLarge(n.Kind).Error() {
		t.Error(err)
	}
}
