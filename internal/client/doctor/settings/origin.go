package settings

import (
	"fmt"
	"maps"
	"slices"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/goenv"
)

// misnomers are names that are taken for variables of the go command, with the right ones.
var misnomers = map[string]string{
	"GONOSUMCHECK": "GONOSUMDB", "GONOSUM": "GONOSUMDB", "GO_PROXY": "GOPROXY", "GOPROXIES": "GOPROXY", "GONOPROXIES": "GONOPROXY", "GOPRIVATES": "GOPRIVATE", "GO_PRIVATE": "GOPRIVATE", "GO_SUMDB": "GOSUMDB",
}

func (s *Settings) checkHidden() check.Result {
	for _, wrong := range slices.Sorted(maps.Keys(misnomers)) {
		right := misnomers[wrong]
		if found, ok := s.Lookup(wrong); ok {
			return check.Warning("unknown-variable", fmt.Sprintf("the go command does not know %s; it may be meant for %s", found.Origin(), right), "set "+right+" instead", s.Unset(wrong))
		}
	}
	for _, name := range shown {
		all := s.All(name)
		for _, v := range all {
			// Compared are the values themselves: what is shown of two may be the same.
			if first := all[0]; first.Layer == goenv.Environment && v.Layer == goenv.UserFile && first.Value != v.Value {
				return check.Warning("env-hides-go-env-w", fmt.Sprintf("%s=%s of the environment hides %s=%s, which was set with go env -w", name, govars.Redact(name, first.Value), name, govars.Redact(name, v.Value)),
					"take away the one that is not meant: that of the environment is set by your shell, your editor or your CI", check.ByHand("unset "+name), check.ByHand("go env -u "+name))
			}
		}
	}
	return check.Well("nothing is hidden")
}

// A Setting is a variable, where it comes from, and what that hides.
type Setting struct {
	Name  string    `json:"name"`
	Value string    `json:"value"` // without secrets
	Layer string    `json:"layer"`
	File  string    `json:"file,omitempty"`
	Hides []Setting `json:"hides,omitempty"`
}

// layers are the layers by name.
var layers = map[goenv.Layer]string{goenv.Environment: "environment", goenv.UserFile: "go env -w", goenv.Installation: "go.env of Go", goenv.Default: "default"}

// shown are the variables whose origin is shown.
var shown = []string{
	"GOPROXY", "GOPRIVATE", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH", "GOFLAGS", "GOTOOLCHAIN", "GO111MODULE", "GOWORK", "GOENV", "GOMODCACHE", "GOCACHE", "GOTMPDIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

// Shown are the settings that are there, and where each comes from.
func (s *Settings) Shown() []Setting {
	var all []Setting
	for _, name := range shown {
		layers := s.All(name)
		if len(layers) == 0 {
			continue
		}
		v := setting(layers[0])
		for _, hidden := range layers[1:] {
			v.Hides = append(v.Hides, setting(hidden))
		}
		all = append(all, v)
	}
	return all
}

func setting(s goenv.Setting) Setting {
	return Setting{Name: s.Name, Value: govars.Redact(s.Name, s.Value), Layer: layers[s.Layer], File: s.File}
}
