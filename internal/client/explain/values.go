package explain

import (
	"net"
	"net/url"
	gopath "path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// complete adds the values that a message does not name by itself, but its URL does.
func complete(values map[string]string, m *Message, b block) {
	if values["url"] == "" && m.Hop.remote() {
		add(values, "url", strings.TrimRight(anyURL.FindString(b.own), `:;,.)`))
	}
	// What redact has put there is no use to anybody who asks for the URL again.
	values["url"] = strings.Replace(values["url"], hidden+"@", "", 1)
	if u, err := url.Parse(values["url"]); err == nil {
		add(values, "host", u.Host)
		addAddress(values, u)
		addArtifact(values, u, strings.ReplaceAll(b.own, values["url"], ""))
	}
	if subject := ofModule.FindStringSubmatch(b.own); subject != nil {
		add(values, "module", subject[1])
		if values["module"] == subject[1] {
			add(values, "version", subject[2])
		}
	}
	if v := values["version"]; v != "" {
		values["version"] = strings.TrimSuffix(v, "/go.mod")
	}
	if escaped, err := module.EscapePath(values["module"]); err == nil {
		values["escaped"] = escaped // as it stands in URLs
		values["repository"] = repository(values["module"])
	}
	if commit, err := module.PseudoVersionRev(values["version"]); err == nil {
		values["commit"] = commit
	}
}

// add sets a value that is not there yet.
func add(values map[string]string, name, value string) {
	if values[name] == "" && value != "" {
		values[name] = value
	}
}

// anyURL finds the first URL of a message.
var anyURL = regexp.MustCompile(`(?:https?|file)://[^\s"']+`)

// ofModule finds the module that a message is about: what stands before its first colon.
var ofModule = regexp.MustCompile(`^(?:go: |verifying |\S+:\d+:\d+: )?(?:download \S+: )?([^\s@:;,"'()]+)@([^\s:;,"'()/]+)(?:/go\.mod)?(?:[\s:;]|$)`)

// addAddress adds what programs want that take no URL.
func addAddress(values map[string]string, u *url.URL) {
	port := u.Port()
	switch {
	case u.Host == "":
		return
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	add(values, "hostname", u.Hostname())
	add(values, "address", net.JoinHostPort(u.Hostname(), port))
}

// repository is where the repository of a module is, as far as its path tells: without a
// major version, and at sites whose paths are known without what is in the repository.
func repository(path string) string {
	prefix, _, ok := module.SplitPathVersion(path)
	if !ok || strings.HasPrefix(path, "gopkg.in/") {
		return path
	}
	elements := strings.Split(prefix, "/")
	if site := elements[0]; (site == "github.com" || site == "bitbucket.org") && len(elements) > 3 {
		elements = elements[:3]
	}
	return strings.Join(elements, "/")
}

// addArtifact adds the module and the version of a URL of a proxy or of a checksum
// database. The rest of the message helps to tell where the path of the proxy ends.
func addArtifact(values map[string]string, u *url.URL, rest string) {
	path, file, isFile := strings.Cut(u.Path, "/@v/")
	before, lookup, isLookup := strings.Cut(u.Path, "/lookup/")
	switch {
	case isLookup:
		mod, version, _ := strings.Cut(lookup, "@")
		addUnescaped(values, mod, version)
	case isFile:
		version := strings.TrimSuffix(file, gopath.Ext(file))
		if file == "list" {
			version = ""
		}
		at := modulePath(path, rest)
		addUnescaped(values, path[at:], version)
		addProxy(values, u, path[:at])
	}
	before, sum, ok := strings.Cut(before, "/sumdb/")
	if ok {
		database, _, _ := strings.Cut(sum, "/")
		add(values, "database", database)
		addProxy(values, u, before)
	}
}

// addProxy adds the entry of GOPROXY that a URL is below.
func addProxy(values map[string]string, u *url.URL, path string) {
	if u.IsAbs() {
		add(values, "proxy", u.Scheme+"://"+u.Host+strings.TrimSuffix(path, "/"))
	}
}

// modulePath is where in the path of a URL the module path begins: with a host name, and
// where the message speaks of that module if it does.
func modulePath(path, rest string) int {
	first := -1
	for i := range path {
		if path[i] != '/' {
			continue
		}
		element, _, _ := strings.Cut(path[i+1:], "/")
		mod, err := module.UnescapePath(path[i+1:])
		if err != nil || !strings.Contains(element, ".") {
			continue
		}
		if strings.Contains(rest, mod) {
			return i + 1
		}
		if first < 0 {
			first = i + 1
		}
	}
	return max(first, 0)
}

// addUnescaped adds a module and a version as they stand in URLs.
func addUnescaped(values map[string]string, escapedPath, escapedVersion string) {
	if mod, err := module.UnescapePath(escapedPath); err == nil {
		add(values, "module", mod)
	}
	if version, err := module.UnescapeVersion(escapedVersion); err == nil {
		add(values, "version", version)
	}
}

// hopOf is the hop that a URL belongs to.
func hopOf(address string) Hop {
	u, err := url.Parse(address)
	switch {
	case err != nil || address == "":
		return FromURL
	case strings.Contains(u.Path, "/sumdb/"):
		return ProxiedSumDB
	case strings.Contains(u.RawQuery, "go-get=1"):
		return Discovery
	case strings.Contains(u.Path, "/@v/") || strings.HasSuffix(u.Path, "/@latest"):
		return Proxy
	case strings.HasPrefix(u.Path, "/lookup/"), strings.HasPrefix(u.Path, "/tile/"), u.Path == "/latest", strings.HasPrefix(u.Host, "sum.golang."):
		return SumDB
	case strings.HasSuffix(u.Path, ".git"), strings.HasSuffix(u.Path, ".git/"):
		return VCS
	}
	return FromURL
}

// unnamed is what stands in a text for a value that the message does not name.
var unnamed = map[string]Phrase{
	"module":   {"the module", "该模块"},
	"version":  {"this version", "该版本"},
	"package":  {"the package", "该包"},
	"host":     {"the server", "服务器"},
	"url":      {"the URL of the message", "消息中的 URL"},
	"proxy":    {"the proxy", "该代理"},
	"file":     {"the file", "该文件"},
	"database": {"the checksum database", "校验和数据库"},
	"addr":     {"that address", "该地址"},
}

// valuesIn are the values that texts name.
func valuesIn(texts ...string) (names []string) {
	for _, text := range texts {
		for _, found := range mark.FindAllStringSubmatch(text, -1) {
			if found[1] != "" && !slices.Contains(names, found[1]) {
				names = append(names, found[1])
			}
		}
	}
	return names
}

// fill puts values into a text.
func fill(p Phrase, l Lang, values map[string]string) string {
	return mark.ReplaceAllStringFunc(p.In(l), func(found string) string {
		if found[0] != '{' {
			return found
		}
		name := strings.Trim(found, "{}")
		if v := values[name]; v != "" {
			return v
		}
		if word := unnamed[name].In(l); word != "" {
			return word
		}
		return found
	})
}

// plain is what a shell takes as it is. An exclamation mark is not among it: bash would
// look into its history.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@+=,-]+$`)

// fillCommand puts values into a command for a POSIX shell. It reports whether all of them
// are there, and nothing in them can do harm.
func fillCommand(command string, values map[string]string) (string, bool) {
	words := strings.Fields(command)
	for i, word := range words {
		filled, ok := fillWord(word, values)
		if !ok {
			return "", false
		}
		words[i] = filled
	}
	return strings.Join(words, " "), true
}

func fillWord(word string, values map[string]string) (filled string, ok bool) {
	// Where there is quoting around a value already, none can be added.
	quoted := strings.ContainsAny(word, "'\"$`")
	ok = true
	filled = mark.ReplaceAllStringFunc(word, func(found string) string {
		if found[0] != '{' {
			return found
		}
		v := values[strings.Trim(found, "{}")]
		// What begins with a hyphen could be an option.
		ok = ok && v != "" && v[0] != '-' && !strings.ContainsAny(v, "'\\") && (!quoted || plain.MatchString(v))
		return v
	})
	switch {
	case !ok:
		return "", false
	case filled == word, quoted, plain.MatchString(filled):
		return filled, true
	}
	return "'" + filled + "'", true
}
