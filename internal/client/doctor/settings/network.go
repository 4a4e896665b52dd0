package settings

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/goweir/weir/internal/client/doctor/check"
)

// pairs are variables that programs read in capital and in small letters.
var pairs = []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}

func (s *Settings) checkHTTPProxy() check.Result {
	var set []string
	for _, name := range pairs {
		upper, lower := s.Getenv(name), s.Getenv(strings.ToLower(name))
		if upper != "" && lower != "" && upper != lower {
			return check.Warning("http-proxy-ambiguous", fmt.Sprintf("%s and %s are not the same; the go command takes the first, git and curl the second", name, strings.ToLower(name)), "make them the same")
		}
		if upper == "" && lower == "" {
			continue
		}
		set = append(set, name)
		if name == "NO_PROXY" {
			continue
		}
		value := cmp.Or(upper, lower)
		if u, err := url.Parse(value); err != nil || u.Host == "" && strings.Contains(value, "://") {
			return check.Trouble("http-proxy-malformed", name+" is no URL", "write http://host:port", check.ByHand("unset "+name))
		}
	}
	if len(set) == 0 {
		return check.Well("none")
	}
	return check.Well(strings.Join(set, ", ") + " set")
}

// CAFiles looks whether the files are there that say whose certificates are trusted.
func (s *Settings) CAFiles() check.Result {
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"} {
		for _, file := range filepath.SplitList(s.Getenv(name)) {
			if _, err := os.Stat(file); file != "" && err != nil {
				return check.Warning("ca-file-missing", fmt.Sprintf("%s names %s, which cannot be read", name, file), "correct it or take it away", check.ByHand("unset "+name))
			}
		}
	}
	return check.Well("as the system has them")
}
