package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A problem is a value that breaks a rule.
type problem struct {
	key  string
	item int // number of the wrong entry of a list, counted from 0; or -1
	text string
}

// Validate reports all values that break a rule, joined; nil if there are none.
// Texts are without secrets.
func (c *Config) Validate() error {
	var problems []error
	for _, p := range c.problems() {
		problems = append(problems, origin{}.problem(p.key, p.item, "%s", p.text))
	}
	return errors.Join(problems...)
}

func (c *Config) problems() []problem {
	var problems []problem
	add := func(key, text string) {
		if text != "" {
			problems = append(problems, problem{key, -1, text})
		}
	}
	for _, l := range leaves {
		add(l.key, checkRules(l, l.value(c)))
	}
	add("listen", checkListen(c.Listen))
	add("data", checkData(c.Data))
	add("path_prefix", checkPathPrefix(c.PathPrefix))
	add("upstream", c.checkUpstream(c.Upstream))
	add("sumdb", checkSumdb(c.Sumdb.Reveal()))
	problems = append(problems, checkPatterns("private", c.Private)...)
	problems = append(problems, checkPatterns("no_sumdb", c.NoSumdb)...)
	return slices.Concat(problems, c.upstreamProblems(), c.groupProblems(), c.routeProblems(), c.doorProblems())
}

// checkRules says which of the rules in the tags of a leaf its value breaks.
func checkRules(l leaf, value any) string {
	v := reflect.ValueOf(value)
	if values := l.enum(); values != nil && !slices.Contains(values, v.String()) {
		return fmt.Sprintf("%s is not one of %s", quote(v.String()), strings.Join(values, ", "))
	}
	if text, least, ok := l.bound("min"); ok && v.Int() < least {
		return fmt.Sprintf("%v is too little; it must be at least %s", v.Interface(), text)
	}
	if text, most, ok := l.bound("max"); ok && v.Int() > most {
		return fmt.Sprintf("%v is too much; it must be at most %s", v.Interface(), text)
	}
	return ""
}

func checkListen(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && !strings.ContainsAny(host, "/ ") {
		_, err = strconv.ParseUint(port, 10, 16)
		if err == nil {
			return ""
		}
	}
	return quote(address) + ` is not host:port; write for instance "localhost:3000", or ":3000" for every address of the machine`
}

func checkData(folder string) string {
	if strings.TrimSpace(folder) == "" {
		return "there is no folder to keep artifacts in; set --data (or WEIR_DATA, or data: in the configuration file), for instance to /var/lib/weir"
	}
	return ""
}

// operation are the first elements of the paths that the server has besides the
// protocol.
var operation = []string{"livez", "readyz", "startupz", "healthz", "metrics", "-"}

func checkPathPrefix(prefix string) string {
	if prefix == "" {
		return ""
	}
	if prefix == "/" || !strings.HasPrefix(prefix, "/") || path.Clean(prefix) != prefix || strings.ContainsAny(prefix, "?#%\\ ") || printable(prefix) != prefix {
		return quote(prefix) + ` is not the path of a URL; write for instance "/go", without a slash at the end, or nothing to serve at the root`
	}
	first, _, _ := strings.Cut(prefix[1:], "/")
	if slices.Contains(operation, first) {
		return fmt.Sprintf("%s is taken: /%s is for the operation of the server; choose another path", quote(prefix), first)
	}
	return ""
}

// checkUpstream says what is wrong with a list of upstreams: its first entry that is
// wrong.
func (c *Config) checkUpstream(list Secret) string {
	// Redacted as a whole, since a password may hold a separator.
	shown := ParseUpstreams(Secret(list.String()))
	entries := ParseUpstreams(list)
	for i, e := range entries {
		if text := c.checkEntry(e); text != "" {
			return fmt.Sprintf("entry %d, %s: %s", i+1, quote(shown[min(i, len(shown)-1)].Text.Reveal()), text)
		}
	}
	if len(entries) == 0 {
		return `the list names no upstream; name one, for instance https://proxy.example.com, or write "off" to serve only what is stored`
	}
	return ""
}

func (c *Config) checkEntry(e Entry) string {
	text := e.Text.Reveal()
	switch {
	case text == "off" || text == "direct":
		return ""
	case e.Name != "":
		return c.checkExists(e.Name)
	case !strings.ContainsAny(text, ".:/"):
		return `neither a URL, nor a name of upstreams or groups, nor "off" or "direct"`
	default:
		return checkUpstreamURL(text)
	}
}

// withScheme adds https:// to what looks like a host, as the go command does.
//
// Source: cmd/go/internal/modfetch/proxy.go, newProxyRepo.
func withScheme(text string) string {
	if strings.ContainsAny(text, ".:/") && !strings.Contains(text, ":/") && !filepath.IsAbs(text) && !path.IsAbs(text) {
		return "https://" + text
	}
	return text
}

// checkUpstreamURL says what is wrong with the URL of an upstream. It cites nothing
// of it, for any part may be a piece of a password.
func checkUpstreamURL(text string) string {
	u, err := url.Parse(withScheme(text))
	switch {
	case err != nil:
		return `not a URL; in a user name or password write "@", ":", "/", "," and "|" as %40, %3A, %2F, %2C and %7C`
	case u.Scheme == "" && path.IsAbs(text):
		return "not a URL; write a folder as file:// and its path"
	case u.Scheme == "":
		return "not a URL; write for instance https://proxy.example.com"
	case u.Scheme == "file" && *u != (url.URL{Scheme: u.Scheme, Path: u.Path, RawPath: u.RawPath}):
		return "a file URL holds nothing but a path, as in file:///srv/modules"
	case u.Scheme == "file":
		return ""
	}
	return checkWeb(u)
}

// checkWeb says what is wrong with a URL that must be of the web.
func checkWeb(u *url.URL) string {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "the scheme must be https, http or file"
	case u.Hostname() == "":
		return "the URL has no host"
	}
	return ""
}

// checkSumdb says what is wrong with the name of a checksum database.
//
// Source: cmd/go/internal/modfetch/sumdb.go, dbDial.
func checkSumdb(text string) string {
	fields := strings.Fields(text)
	switch {
	case len(fields) == 0:
		return `no checksum database is named; write for instance "sum.golang.org", or "off" to prove nothing`
	case len(fields) == 1 && fields[0] == "off":
		return ""
	case len(fields) > 2:
		return `too many words; write "name" or "name+hash+key", then a blank and a URL if it is to be reached there`
	}
	if text := checkSumdbName(fields[0], quote(strings.Fields(redact(text))[0])); text != "" {
		return text
	}
	if len(fields) < 2 {
		return ""
	}
	u, err := url.Parse(fields[1])
	if err != nil {
		return "what follows the name is not a URL"
	}
	return checkWeb(u)
}

// checkSumdbName says what is wrong with the first word of a checksum database, which
// a message shows as given.
func checkSumdbName(vkey, shown string) string {
	if vkey == "sum.golang.org" || vkey == "sum.golang.google.cn" {
		return ""
	}
	if !strings.Contains(vkey, "+") {
		return shown + ` is not known by name; write its key, as in "name+hash+key"`
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return shown + ` is not a key; write it as its operator publishes it, as in "name+hash+key"`
	}
	name := verifier.Name()
	u, err := url.Parse("https://" + name)
	if err != nil || u.Host == "" || strings.HasSuffix(name, "/") || *u != (url.URL{Scheme: "https", Host: u.Host, Path: u.Path}) {
		return quote(name) + " is not the name of a checksum database, which is a host, or a host and a path"
	}
	return ""
}

// maxItems bounds how many wrong items of one list are told of.
const maxItems = 20

func checkPatterns(key string, patterns Patterns) []problem {
	var problems []problem
	shown := strings.Split(redact(patterns.String()), ",")
	for i, p := range patterns {
		if len(problems) == maxItems {
			break
		}
		if _, err := path.Match(p, ""); err != nil {
			problems = append(problems, problem{key, i, quote(shown[i]) + ` is not a glob pattern; write for instance "*.corp.example.com" or "github.com/org/*"`})
		} else if strings.Contains(p, "://") || strings.HasPrefix(p, "/") || strings.ContainsAny(p, " \t\r\n") {
			problems = append(problems, problem{key, i, quote(shown[i]) + ` matches no module path; write the beginning of one, for instance "git.example.com/team"`})
		}
	}
	return problems
}
