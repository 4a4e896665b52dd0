package settings

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/source"
)

// An Entry is one entry of GOPROXY.
type Entry struct {
	source.Entry
	Name string   // without secrets
	URL  *url.URL // of a proxy; nil: it is direct or off

	public bool // it is for everybody
}

// GOPROXY is the value of GOPROXY that is in force.
func (s *Settings) GOPROXY() string {
	return cmp.Or(s.Value("GOPROXY"), "direct")
}

func (s *Settings) checkList() check.Result {
	value := s.GOPROXY()
	words := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == '|' })
	for i, word := range words {
		if word = strings.TrimSpace(word); strings.ContainsAny(word, "; \t") {
			return check.Trouble("goproxy-separator", fmt.Sprintf("entry %d of %s has a semicolon or a blank in it, so that it is one entry and not two", i+1, s.From("GOPROXY")),
				"write commas, or |, between entries")
		}
	}
	if s.ListError != nil {
		return check.Trouble("goproxy-malformed", fmt.Sprintf("the go command refuses %s: %s", s.From("GOPROXY"), s.ListError),
			"write URLs with https://, direct or off, with a comma between them", s.Unset("GOPROXY"))
	}
	for i, word := range words[:len(words)-1] {
		if word = strings.TrimSpace(word); word == "direct" || word == "off" {
			return check.Warning("goproxy-after-"+word, fmt.Sprintf("what stands after %q in %s is never asked", words[i], s.From("GOPROXY")), "put it before, or take it away")
		}
	}
	for _, e := range s.Entries {
		if e.URL != nil && e.URL.Scheme == "http" && e.URL.User != nil {
			return check.Trouble("goproxy-password-over-http", fmt.Sprintf("%s has a user for %s, and the go command sends no password over http", s.From("GOPROXY"), e.Name),
				"use https, and keep the password in a netrc file or in GOAUTH")
		}
	}
	return check.Well(source.RedactList(value))
}

// Fetches reports whether the settings let modules come over the network.
func (s *Settings) Fetches() bool {
	return slices.ContainsFunc(s.Entries, func(e Entry) bool { return e.Direct || e.URL != nil && e.URL.Scheme != "file" })
}

// isPublic reports whether a proxy for everybody is asked.
func (s *Settings) isPublic() bool {
	return slices.ContainsFunc(s.Entries, func(e Entry) bool { return e.public })
}

// publicHosts are proxies for everybody, beside that of the Go installation.
var publicHosts = []string{"goproxy.cn", "goproxy.io", "mirrors.aliyun.com"}

// entries reads GOPROXY.
func (s *Settings) entries() ([]Entry, error) {
	list, err := source.ParseList(s.GOPROXY())
	if err != nil {
		return nil, err
	}
	var all []Entry
	for i, e := range list {
		entry := Entry{Entry: e, Name: e.Redacted()}
		if e.URL != "" {
			if entry.URL, err = url.Parse(e.URL); err != nil {
				return nil, fmt.Errorf("entry %d is no URL", i+1)
			}
			entry.public = s.isPublicHost(entry.URL.Hostname())
		}
		all = append(all, entry)
	}
	return all, nil
}

func (s *Settings) isPublicHost(host string) bool {
	return slices.Contains(publicHosts, host) || slices.ContainsFunc(s.All("GOPROXY"), func(layer goenv.Setting) bool {
		return layer.Layer == goenv.Installation && strings.Contains(layer.Value, "://"+host)
	})
}
