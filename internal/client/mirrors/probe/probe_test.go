package probe

import (
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

func TestThePathOfAMirrorIsKept(t *testing.T) {
	p := New("https://user:pw@proxy.example.com/go%2Fproxy/?key=1", nil, "", nil)
	got := p.url(artifact.Name{Kind: artifact.Info, Module: "github.com/BurntSushi/toml", Version: "v1.0.0"}).String()
	if want := "https://proxy.example.com/go%2Fproxy/github.com/%21burnt%21sushi/toml/@v/v1.0.0.info?key=1"; got != want && got != strings.ReplaceAll(want, "%21", "!") {
		t.Errorf("the URL is %s", got)
	}
}
