// Package login keeps the tokens with which the go command logs in to proxies, and
// hands them to it.
//
// The tokens are in a file of their own that only its owner can read. The go
// command asks for them by running a command of GOAUTH, and gets each with the URL
// that it is for: it sends it there and nowhere else, and only over TLS.
//
// Source: go help goauth.
package login

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Login is a token for a proxy.
type Login struct {
	URL   string `json:"url"` // of the proxy, as in GOPROXY
	Token string `json:"token"`
}

// A File is where logins are kept.
type File string

// DefaultFile is where the logins of this user are: in weir/logins.json of the
// folder for configurations.
func DefaultFile() (File, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return File(filepath.Join(dir, "weir", "logins.json")), nil
}

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// All are the logins, by URL. There are none if there is no file.
func (f File) All() ([]Login, error) {
	file, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []Login
	if err := json.NewDecoder(io.LimitReader(file, maxFile)).Decode(&all); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; remove it and log in again", f, err)
	}
	return all, nil
}

// Put adds a login, or replaces the one for its URL.
func (f File) Put(l Login) error {
	all, err := f.without(l.URL)
	if err != nil {
		return err
	}
	return f.write(append(all, l))
}

// Remove removes the login for a URL, and reports whether there was one.
func (f File) Remove(url string) (bool, error) {
	before, err := f.All()
	if err != nil {
		return false, err
	}
	after, err := f.without(url)
	if err != nil || len(after) == len(before) {
		return false, err
	}
	return true, f.write(after)
}

func (f File) without(url string) ([]Login, error) {
	all, err := f.All()
	return slices.DeleteFunc(all, func(l Login) bool { return l.URL == url }), err
}

// write replaces the file as a whole.
func (f File) write(all []Login) error {
	slices.SortFunc(all, func(a, b Login) int { return cmp.Compare(a.URL, b.URL) })
	data, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o700); err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(string(f)), ".logins-*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = next.Write(append(data, '\n'))
	err = errors.Join(err, next.Close())
	if err == nil {
		err = os.Rename(next.Name(), string(f))
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}

// ParseURL returns the URL of a proxy in the form that the go command compares
// with those it asks. Tokens are sent over TLS only, so that it begins with https.
func ParseURL(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return "", errors.New("this is not the URL of a proxy; write for instance https://proxy.example.com")
	case u.Scheme != "https":
		return "", errors.New("the go command shows tokens over https only; use the https URL of the proxy")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("write the URL of the proxy without user name, query and fragment")
	}
	return "https://" + u.Host + strings.TrimSuffix(u.EscapedPath(), "/"), nil
}

// Help writes what the go command wants of a command of GOAUTH.
func Help(w io.Writer, all []Login) error {
	for _, l := range all {
		if _, err := fmt.Fprintf(w, "%s\n\nAuthorization: Bearer %s\n\n", l.URL, l.Token); err != nil {
			return err
		}
	}
	return nil
}
