package accounts

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// A Token is what is known of a token but for its secret.
type Token struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Groups  []string  `json:"groups,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Revoked bool      `json:"revoked,omitempty"`
}

// Expired reports whether the token is good no more, for its age.
func (t Token) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// A TokenSpec says what a new token is for.
type TokenSpec struct {
	User    string
	Groups  []string
	Expires time.Time // zero: never
}

// CreateToken adds a token to the file, which is made with its folder if it is
// missing, and returns it. It is the only time that it is seen: the file keeps a digest.
// A server that uses the file knows the token after its next Reload.
func CreateToken(path string, s TokenSpec) (token string, err error) {
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
	err = extend(path, func(d *document) error {
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
