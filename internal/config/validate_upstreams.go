package config

import (
	"maps"
	"net/textproto"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A checker collects the problems of one entry of a collection.
type checker struct {
	key      string // of the entry
	problems []problem
}

// add adds a problem of a value of the entry, or of the whole of it if no name of a
// value is given. An empty text is no problem.
func (c *checker) add(name, text string) { c.addItem(name, -1, text) }

func (c *checker) addItem(name string, item int, text string) {
	if text != "" {
		c.problems = append(c.problems, problem{join(c.key, name), item, text})
	}
}

// rules checks the rules in the tags of an entry. A value that is as for all is checked
// there.
func (c *checker) rules(collection string, config *Config, entry any) {
	of, _ := collectionOf(collection)
	for _, l := range of.leaves {
		value := l.value(entry)
		if above, ok := l.above(); ok && reflect.DeepEqual(above.value(config), value) {
			continue
		}
		c.add(l.name(), checkRules(l, value))
	}
}

func (c *Config) upstreamProblems() []problem {
	var problems []problem
	for _, name := range slices.Sorted(maps.Keys(c.Upstreams)) {
		u := c.Upstreams[name]
		check := &checker{key: join("upstreams", name)}
		check.add("", checkName(name))
		check.rules("upstreams", c, &u)
		check.upstream(&u)
		problems = append(problems, check.problems...)
	}
	return problems
}

// upstream checks what the tags do not tell.
func (c *checker) upstream(u *Upstream) {
	at, text := checkOneURL(u.URL)
	c.add("url", text)
	c.credentials(u, at != nil && at.User != nil)
	c.certificate(u)
	c.add("proxy", checkProxy(u.Proxy, "http", "https", "socks5"))
	c.headers(u.Headers)
	if at != nil && at.Scheme == "file" {
		c.onlyWeb(u)
	}
}

// checkOneURL says what is wrong with the URL of an upstream, and returns it if that is
// nothing.
func checkOneURL(s Secret) (*url.URL, string) {
	text := s.Reveal()
	switch {
	case text == "":
		return nil, "there is no URL; write where the upstream is, for instance https://proxy.example.com"
	case strings.ContainsFunc(text, isListSeparator):
		return nil, `one URL is wanted here, not a list; in a user name or password write "," and "|" as %2C and %7C`
	}
	if text := checkUpstreamURL(text); text != "" {
		return nil, text
	}
	u, err := url.Parse(withScheme(text))
	if err != nil {
		return nil, "not a URL" // not possible
	}
	return u, ""
}

// credentials checks that there is one way to prove who asks, and that it can be sent.
func (c *checker) credentials(u *Upstream, inURL bool) {
	first := ""
	for _, way := range []struct {
		name  string
		given bool
	}{
		{"url", inURL}, {"username", u.Username != "" || u.Password != ""}, {"bearer", u.Bearer != ""}, {"netrc", u.Netrc != ""},
	} {
		switch {
		case way.given && first != "":
			c.add(way.name, "there are credentials in "+first+" already; keep one of them")
		case way.given:
			first = way.name
		}
	}
	if u.Password != "" && u.Username == "" {
		c.add("password", "there is no user name to it; set username, or bearer instead if it is a token")
	}
	if strings.Contains(u.Username, ":") {
		c.add("username", `a user name cannot have a ":" in it; the password belongs to password or password_file`)
	}
	c.add("username", checkSendable(u.Username))
	c.add("password", checkSendable(u.Password.Reveal()))
	c.add("bearer", checkSendable(u.Bearer.Reveal()))
	if strings.Contains(u.Bearer.Reveal(), " ") {
		c.add("bearer", `a token has no blanks in it; write it without "Bearer"`)
	}
}

// checkSendable says why a text, which may be secret, cannot be sent in a header.
func checkSendable(text string) string {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "there is a control character in it, such as the end of a line; write it on one line"
	}
	return ""
}

func (c *checker) certificate(u *Upstream) {
	if u.CertFile != "" && u.KeyFile == "" {
		c.add("cert_file", "there is no key to the certificate; set key_file")
	}
	if u.KeyFile != "" && u.CertFile == "" {
		c.add("key_file", "there is no certificate to the key; set cert_file")
	}
}

// checkProxy says what is wrong with the URL of a proxy, which is of one of the
// schemes. It cites nothing of it.
func checkProxy(proxy Secret, schemes ...string) string {
	const example = "; write for instance http://proxy.example.com:3128, or off for none"
	if proxy == "" || proxy == ProxyOff {
		return ""
	}
	u, err := url.Parse(proxy.Reveal())
	switch {
	case err != nil:
		return "not a URL" + example
	case !slices.Contains(schemes, u.Scheme):
		last := len(schemes) - 1
		return "the scheme must be " + strings.Join(schemes[:last], ", ") + " or " + schemes[last] + example
	case u.Hostname() == "":
		return "the URL has no host" + example
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "the URL goes on behind the host" + example
	}
	return ""
}

func (c *checker) headers(headers map[string]Credential) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if text := checkHeaderName(name); text != "" {
			c.add("headers", text)
			continue
		}
		c.add("headers."+name, checkSendable(headers[name].Reveal()))
	}
}

// checkHeaderName says why a header cannot be set.
//
// Source: RFC 9110, sections 5.6.2 and 7.6.1.
func checkHeaderName(name string) string {
	const signs = "!#$%&'*+-.^_`|~"
	isToken := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(signs, r))
	}
	switch key := textproto.CanonicalMIMEHeaderKey(name); {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }):
		return citeKey(name) + ` is not the name of a header; write for instance "X-Header: value"`
	case key == "Authorization":
		return quote(name) + " cannot be set as a header; set bearer, or username and password"
	case key == "Host", key == "Connection", key == "Transfer-Encoding", strings.HasPrefix(key, "Content-"):
		return quote(name) + " belongs to the request itself and cannot be set; remove it"
	}
	return ""
}

// onlyWeb refuses what means nothing for a folder.
func (c *checker) onlyWeb(u *Upstream) {
	for _, setting := range []struct {
		name  string
		given bool
	}{
		{"username", u.Username != ""}, {"password", u.Password != ""}, {"bearer", u.Bearer != ""}, {"netrc", u.Netrc != ""},
		{"ca_file", u.CAFile != ""}, {"cert_file", u.CertFile != ""}, {"key_file", u.KeyFile != ""},
		{"proxy", u.Proxy != ""}, {"headers", len(u.Headers) > 0}, {"http2", !u.HTTP2},
	} {
		if setting.given {
			c.add(setting.name, "this is for https and http only, and the URL is a file; remove it")
		}
	}
}
