package survey

import (
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

// What mirrors send is hashed without trust in it.
func FuzzProve(f *testing.F) {
	f.Add([]byte("PK\x05\x06"+strings.Repeat("\x00", 18)), true)
	f.Add([]byte("module example.com/a\n"), false)
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		kind := artifact.Mod
		if zip {
			kind = artifact.Zip
		}
		proven, err := prove(Module{Path: "example.com/a", Version: "v1.0.0", Zip: "h1:no", Mod: "h1:no"}, kind, body)
		if proven || err == nil {
			t.Errorf("%q was proven", body)
		}
	})
}
