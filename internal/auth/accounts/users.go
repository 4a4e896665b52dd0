package accounts

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/auth/password"
)

// A User is what is known of a user but for the password.
type User struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups,omitempty"`
}

// The lengths of the shortest and the longest password, in bytes.
const (
	minPassword = 8
	MaxPassword = 16 << 10
)

// SetUser adds a user to the file, which is made with its folder if it is missing,
// or replaces one. A password that would be taken for a token is refused, since it could not
// be used. The file keeps a hash of it that is slow to compute.
func SetUser(path string, u User, secret string) error {
	switch {
	case strings.Contains(u.Name, ":"):
		return fmt.Errorf("user %q: HTTP Basic has no user names with a colon", u.Name)
	case len(secret) < minPassword || len(secret) > MaxPassword:
		return fmt.Errorf("user %q: a password has %d to %d bytes", u.Name, minPassword, MaxPassword)
	case IsToken(secret):
		return fmt.Errorf("user %q: the password has the form of a token", u.Name)
	}
	if err := checkNames(u.Name, u.Groups); err != nil {
		return err
	}
	u.Groups = sorted(u.Groups)
	stored := storedUser{User: u, Hash: password.New(secret).String()}
	return extend(path, func(d *document) error {
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
