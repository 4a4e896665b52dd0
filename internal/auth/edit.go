package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Spec says what a new token is for.
type Spec struct {
	User    string
	Groups  []string
	Expires time.Time // zero: never
}

// CreateToken adds a token to the file, which is made if it is missing, and
// returns it. It is the only time that it is seen: the file keeps a digest.
// A server that uses the file knows the token after its next Reload.
func CreateToken(path string, s Spec) (token string, err error) {
	if err := checkNames(s.User, s.Groups); err != nil {
		return "", err
	}
	now := time.Now().UTC().Truncate(time.Second)
	if !s.Expires.IsZero() && !s.Expires.After(now) {
		return "", errors.New("the token would have expired already")
	}
	id, secret := newToken()
	digest := sha256.Sum256([]byte(secret))
	t := Token{ID: id, User: s.User, Groups: sorted(s.Groups), Created: now, Expires: s.Expires.UTC()}
	err = edit(path, func(d *document) error {
		if d.token(id) != nil {
			return fmt.Errorf("there is a token with the id %s already; try again", id)
		}
		d.Tokens = append(d.Tokens, storedToken{Token: t, Digest: hex.EncodeToString(digest[:])})
		return nil
	})
	if err != nil {
		return "", err
	}
	return formatToken(id, secret), nil
}

// ListTokens returns the tokens of the file, the oldest first.
func ListTokens(path string) ([]Token, error) {
	d, err := readDocument(path)
	if err != nil {
		return nil, err
	}
	tokens := make([]Token, 0, len(d.Tokens))
	for _, t := range d.Tokens {
		tokens = append(tokens, t.Token)
	}
	slices.SortStableFunc(tokens, func(a, b Token) int { return a.Created.Compare(b.Created) })
	return tokens, nil
}

// RevokeToken makes the token with this id worthless. It stays in the file, so
// that its holder can be told. For an id that is unknown the error matches
// fs.ErrNotExist.
func RevokeToken(path, id string) error {
	return edit(path, func(d *document) error {
		t := d.token(id)
		if t == nil {
			return fmt.Errorf("%s: token %q: %w", path, id, fs.ErrNotExist)
		}
		t.Revoked = true
		return nil
	})
}

func (d *document) token(id string) *storedToken {
	i := slices.IndexFunc(d.Tokens, func(t storedToken) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return &d.Tokens[i]
}

// minPassword is the length of the shortest password, in bytes.
const minPassword = 8

// SetUser adds a user to the file, which is made if it is missing, or replaces
// one. The file keeps a hash of the password that is slow to compute.
func SetUser(path string, u User, password string) error {
	switch {
	case strings.Contains(u.Name, ":"):
		return fmt.Errorf("user %q: HTTP Basic has no user names with a colon", u.Name)
	case len(password) < minPassword || len(password) > maxSecret:
		return fmt.Errorf("user %q: a password has %d bytes at least", u.Name, minPassword)
	case isSecret(password):
		return fmt.Errorf("user %q: the password has the form of a token", u.Name)
	}
	if err := checkNames(u.Name, u.Groups); err != nil {
		return err
	}
	u.Groups = sorted(u.Groups)
	stored := storedUser{User: u, Hash: newPasswordHash(password).String()}
	return edit(path, func(d *document) error {
		d.Users = slices.DeleteFunc(d.Users, func(x storedUser) bool { return x.Name == u.Name })
		d.Users = append(d.Users, stored)
		return nil
	})
}

// RemoveUser removes a user from the file. For one that is unknown the error
// matches fs.ErrNotExist.
func RemoveUser(path, name string) error {
	return edit(path, func(d *document) error {
		left := slices.DeleteFunc(slices.Clone(d.Users), func(x storedUser) bool { return x.Name == name })
		if len(left) == len(d.Users) {
			return fmt.Errorf("%s: user %q: %w", path, name, fs.ErrNotExist)
		}
		d.Users = left
		return nil
	})
}

// edit changes the file as a whole or not at all. The new file, next to the old
// one, is made before the old one is read and keeps others from doing the same:
// of two changes at a time one fails, and none is lost.
func edit(path string, change func(*document) error) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is being changed by another command, or one has broken off: try again; if no other runs, remove %s: %w", path, next, fs.ErrExist)
	}
	if err != nil {
		return err
	}
	if err := rewrite(f, path, change); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// rewrite writes the changed contents of the file to next and puts that in its place.
func rewrite(next *os.File, path string, change func(*document) error) error {
	data, err := changed(path, change)
	if err == nil {
		_, err = next.Write(data)
	}
	if err == nil {
		err = next.Sync()
	}
	if err := errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}

// syncFolder forces a rename to the disk, on systems that can.
func syncFolder(dir string) {
	if f, err := os.Open(dir); err == nil {
		f.Sync()
		f.Close()
	}
}

// changed returns the contents of the file after a change.
func changed(path string, change func(*document) error) ([]byte, error) {
	d, err := readDocument(path)
	if err != nil {
		return nil, err
	}
	if err := change(d); err != nil {
		return nil, err
	}
	if _, err := d.compile(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err = enc.Encode(d)
	return b.Bytes(), err
}
