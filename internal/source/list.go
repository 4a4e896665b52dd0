package source

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// An Entry is one entry of a GOPROXY list: a URL, "direct" or "off".
type Entry struct {
	URL             string // of a proxy: http, https or file; may hold credentials
	Direct          bool   // the list goes on at version control
	Off             bool   // the list ends here
	FallBackOnError bool   // "|" follows: any error leads to the next entry, not only "not found"
}

// Redacted returns the entry as it may be shown: without credentials, which
// may stand before the host, and without query, which may be one.
func (e Entry) Redacted() string {
	switch {
	case e.Direct:
		return "direct"
	case e.Off:
		return "off"
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		return "malformed URL"
	}
	if u.User != nil {
		u.User = url.User("xxxxx")
	}
	u.RawQuery, u.Fragment, u.RawFragment = "", "", ""
	return u.String()
}

// String is Redacted, so that no verb of package fmt but %#v shows more.
func (e Entry) String() string { return e.Redacted() }

// Separator is the sign after the entry, where another one follows.
func (e Entry) Separator() string {
	if e.FallBackOnError {
		return "|"
	}
	return ","
}

// RedactList returns a GOPROXY list as it may be shown, without the credentials of
// entries; empty if it is malformed.
func RedactList(goproxy string) string {
	list, err := ParseList(goproxy)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for i, e := range list {
		if i > 0 {
			b.WriteString(list[i-1].Separator())
		}
		b.WriteString(e.Redacted())
	}
	return b.String()
}

// IsFolder reports whether the entry is a folder of this machine, not a server.
func (e Entry) IsFolder() bool { return strings.HasPrefix(e.URL, "file:") }

// ParseList reads a GOPROXY list as the go command does: entries are separated
// by commas and pipes, blanks around them are trimmed, empty ones are skipped,
// a missing scheme is https, and nothing after "off" or "direct" is looked at.
// Errors show nothing of an entry that could be a secret.
//
// Source: cmd/go/internal/modfetch/proxy.go, proxyList and newProxyRepo.
func ParseList(goproxy string) ([]Entry, error) {
	var list []Entry
	for position := 1; goproxy != ""; position++ {
		var entry Entry
		word := goproxy
		goproxy = ""
		if i := strings.IndexAny(word, ",|"); i >= 0 {
			entry.FallBackOnError = word[i] == '|'
			word, goproxy = word[:i], word[i+1:]
		}
		switch word = strings.TrimSpace(word); word {
		case "":
			continue
		case "off":
			return append(list, Entry{Off: true}), nil
		case "direct":
			return append(list, Entry{Direct: true}), nil
		}
		entry.URL = withScheme(word)
		if err := checkURL(entry); err != nil {
			return nil, fmt.Errorf("entry %d of the upstream list: %w", position, err)
		}
		list = append(list, entry)
	}
	if len(list) == 0 {
		return nil, errors.New("the upstream list contains no entries: name a proxy, direct or off")
	}
	return list, nil
}

// withScheme adds https:// to what looks like a host. Single words are kept for
// meanings to come, and what holds ":/" or is a file path must be a whole URL.
func withScheme(word string) string {
	if strings.ContainsAny(word, ".:/") && !strings.Contains(word, ":/") && !filepath.IsAbs(word) && !path.IsAbs(word) {
		return "https://" + word
	}
	return word
}

// checkURL reports what is wrong with the URL of an entry. The text of package
// net/url is left out, since it cites pieces of what may be a password.
func checkURL(e Entry) error {
	u, err := url.Parse(e.URL)
	if err != nil {
		return errors.New("not a URL; characters such as @, / and % in a user name or password are written %40, %2F and %25")
	}
	switch u.Scheme {
	case "http", "https":
		return nil
	case "file":
		if *u != (url.URL{Scheme: u.Scheme, Path: u.Path, RawPath: u.RawPath}) {
			return fmt.Errorf("%s: a file URL is file:// and an absolute path, nothing else", e.Redacted())
		}
		return nil
	case "":
		return fmt.Errorf("%q is neither a URL nor direct nor off", e.Redacted())
	default:
		return fmt.Errorf("%s: the scheme must be https, http or file", e.Redacted())
	}
}
