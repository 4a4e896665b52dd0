// Package goauth finds the credentials that the go command of this machine would show
// to a server: those of a netrc file, or of the commands in GOAUTH.
//
// They go to https only, as with the go command, and never into an error. Credentials
// in the URL itself are left to who uses the URL.
//
// Sources: go help goauth; cmd/go/internal/auth.
package goauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/command"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/netrc"
)

// helperTimeout is how long a command in GOAUTH may take. Some ask a person.
const helperTimeout = time.Minute

// Header returns the headers the go command would send to u, and where they come from,
// for people; nil where it has none. Commands of GOAUTH are run at most twice: once for
// all they know, and if that is nothing for u, once for u.
//
// The error joins what went wrong with each way that might have had credentials; there
// may be headers all the same.
func Header(ctx context.Context, env *goenv.Env, u *url.URL) (h http.Header, from string, err error) {
	if u.Scheme != "https" || u.User != nil {
		return nil, "", nil
	}
	methods, err := parse(env.Value("GOAUTH"))
	if err != nil {
		return nil, "", err
	}
	var problems []error
	for _, explicit := range []bool{false, true} {
		for _, m := range methods {
			h, err := m.header(ctx, env, u, explicit)
			if err != nil {
				problems = append(problems, fmt.Errorf("GOAUTH=%s: %w", m.name(), err))
			}
			if h != nil {
				return h, m.origin(env), errors.Join(problems...)
			}
		}
	}
	return nil, "", errors.Join(problems...)
}

// A method is one way to credentials: the words of one entry in GOAUTH.
type method []string

// parse reads GOAUTH: entries between semicolons, of which the first that has
// credentials wins. Its default is netrc.
func parse(goauth string) ([]method, error) {
	if goauth == "" {
		goauth = "netrc"
	}
	var methods []method
	for entry := range strings.SplitSeq(goauth, ";") {
		words, err := split(strings.TrimSpace(entry))
		switch {
		case err != nil:
			return nil, fmt.Errorf("GOAUTH: %w", err)
		case len(words) == 0:
			return nil, errors.New("GOAUTH has an empty command; take the superfluous semicolon away")
		}
		methods = append(methods, words)
	}
	off := func(m method) bool { return m[0] == "off" }
	switch {
	case !slices.ContainsFunc(methods, off):
		return methods, nil
	case len(methods) > 1:
		return nil, errors.New("GOAUTH=off cannot be combined with other commands")
	}
	return nil, nil
}

// split cuts an entry into words. Quotes around a word hold it together; there is no
// other meaning in them.
func split(entry string) ([]string, error) {
	var words []string
	for {
		entry = strings.TrimLeft(entry, " \t\r\n")
		if entry == "" {
			return words, nil
		}
		end := strings.IndexAny(entry, " \t\r\n")
		if quote := entry[0]; quote == '"' || quote == '\'' {
			entry = entry[1:]
			end = strings.IndexByte(entry, quote)
			if end < 0 {
				return nil, fmt.Errorf("the quote %c is not closed", quote)
			}
			words, entry = append(words, entry[:end]), entry[end+1:]
			continue
		}
		if end < 0 {
			end = len(entry)
		}
		words, entry = append(words, entry[:end]), entry[end:]
	}
}

// name is the method without arguments, which may be secret.
func (m method) name() string { return m[0] }

// origin says where the credentials of a method come from, for people.
func (m method) origin(env *goenv.Env) string {
	switch m.name() {
	case "netrc":
		return NetrcFile(env)
	case "git":
		return "the credential helpers of git"
	}
	return "GOAUTH=" + m.name()
}

// header asks one method. Only when asked explicitly for a URL, commands may find out
// more than they said before, and only then git is asked.
func (m method) header(ctx context.Context, env *goenv.Env, u *url.URL, explicit bool) (http.Header, error) {
	switch m.name() {
	case "netrc":
		if explicit {
			return nil, nil // that would be the same again
		}
		return fromNetrc(env, u)
	case "git":
		if !explicit {
			return nil, nil
		}
		return m.fromGit(ctx, u)
	}
	return m.fromCommand(ctx, u, explicit)
}

// NetrcFile is the name of the netrc file that the go command reads, whether there is
// one or not; empty when nobody knows the home folder.
func NetrcFile(env *goenv.Env) string {
	if name := env.Getenv("NETRC"); name != "" {
		return name
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	if legacy := filepath.Join(home, "_netrc"); runtime.GOOS == "windows" {
		if _, err := os.Stat(legacy); err == nil {
			return legacy
		}
	}
	return filepath.Join(home, ".netrc")
}

func fromNetrc(env *goenv.Env, u *url.URL) (http.Header, error) {
	data, err := os.ReadFile(NetrcFile(env))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	login, password, ok := netrc.Find(string(data), u.Host)
	if !ok {
		return nil, nil
	}
	return basic(login, password), nil
}

// basic are the headers of Basic authentication.
func basic(login, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(login+":"+password))}}
}

// fromGit asks the credential helpers that a working directory of git has.
func (m method) fromGit(ctx context.Context, u *url.URL) (http.Header, error) {
	if len(m) != 2 || !filepath.IsAbs(m[1]) {
		return nil, errors.New("git needs an absolute path to a working directory")
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	out, _, err := command.Run(ctx, command.Command{
		Path: "git", Args: []string{"credential", "fill"},
		Dir: m[1], Env: append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true", "SSH_ASKPASS=true"),
		In: "url=" + u.String() + "\n\n",
	})
	if err != nil {
		return nil, fmt.Errorf("git credential fill: %w", err)
	}
	values := map[string]string{}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			values[key] = value
		}
	}
	if values["username"] == "" || values["password"] == "" {
		return nil, nil
	}
	return basic(values["username"], values["password"]), nil
}

// fromCommand runs a command, whose answer is lists of URLs with their headers.
func (m method) fromCommand(ctx context.Context, u *url.URL, explicit bool) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	args := slices.Clone(m[1:])
	if explicit {
		args = append(args, u.String())
	}
	out, complaints, err := command.Run(ctx, command.Command{Path: m[0], Args: args})
	if err != nil {
		return nil, fmt.Errorf("the command failed: %w: %s", err, artifact.Clean(complaints, 200))
	}
	known, err := parseCredentials(out)
	if err != nil {
		return nil, err
	}
	return longest(known, u), nil
}

// parseCredentials reads what a command says: URLs, an empty line, headers, an empty
// line, and so on. The result is by URL without its scheme.
func parseCredentials(text string) (map[string]http.Header, error) {
	known := map[string]http.Header{}
	for text != "" {
		urls, rest, ok := strings.Cut(text, "\n\n")
		if !ok {
			return nil, errors.New("the command's answer has no empty line after its URLs")
		}
		headers, rest, ok := cutHeaders(rest)
		if !ok {
			return nil, errors.New("the command's answer has no empty line after its headers")
		}
		text = rest
		h := http.Header{}
		for line := range strings.Lines(headers) {
			name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			if !ok {
				return nil, errors.New("the command's answer has a line that is no header")
			}
			h.Add(name, strings.TrimSpace(value))
		}
		for u := range strings.Lines(urls) {
			known[trimURL(strings.TrimSuffix(u, "\n"))] = h
		}
	}
	return known, nil
}

// cutHeaders cuts at the empty line after headers, of which there may be none.
func cutHeaders(text string) (headers, rest string, ok bool) {
	if rest, ok := strings.CutPrefix(text, "\n"); ok {
		return "", rest, true
	}
	return strings.Cut(text, "\n\n")
}

func trimURL(u string) string { return strings.TrimSuffix(strings.TrimPrefix(u, "https://"), "/") }

// longest are the headers of the longest prefix of a URL that is known.
func longest(known map[string]http.Header, u *url.URL) http.Header {
	for prefix := trimURL(u.String()); ; {
		if h, ok := known[prefix]; ok {
			return h
		}
		slash := strings.LastIndexByte(prefix, '/')
		if slash < 0 {
			return nil
		}
		prefix = prefix[:slash]
	}
}
