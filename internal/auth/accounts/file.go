// Package accounts keeps the tokens that Weir has made and the users who log in
// with a password: a file that commands change and a server reads.
//
// The file holds no secret. Of a token there is its SHA-256, of a password a
// hash that is slow to compute. A change is made as a whole or not at all, and
// of two at one time one fails, so that none is lost; it holds for a server after
// its next [File.Reload]. A file that has an error is refused and left as it is.
//
// A [File] says whose a token is, and against which hash a password is to be
// checked. It takes the same work whether there is such a token or user or not.
// It refuses nobody: what is to be done about a token that has expired, and what
// is said of it, is for others to know.
package accounts

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"sync/atomic"

	"github.com/goweir/weir/internal/auth/password"
)

// A File is the tokens and users of a file, as they were when it was last read.
// The zero File has none. It is safe for concurrent use.
type File struct {
	path    string
	records atomic.Pointer[records]
}

// Load reads a file of tokens and users that [CreateToken] and [SetUser]
// have made. A file that is missing holds none.
func Load(path string) (*File, error) {
	f := &File{path: path}
	return f, f.Reload()
}

// Reload reads the file again. If it cannot be read or has an error, the tokens
// and users stay as they were.
func (f *File) Reload() error {
	d, err := readDocument(f.path)
	if err != nil {
		return err
	}
	k, err := d.compile()
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.records.Store(k)
	return nil
}

// Empty reports whether there are neither tokens nor users.
func (f *File) Empty() bool {
	k := f.known()
	return len(k.tokens)+len(k.users) == 0
}

// known returns what was read last.
func (f *File) known() *records {
	if k := f.records.Load(); k != nil {
		return k
	}
	return &records{}
}

// Token returns the token with an id, if this is its secret. It may have expired
// or been revoked, which only who holds its secret must be told.
func (f *File) Token(id, secret string) (t Token, right bool) {
	record, known := f.known().tokens[id]
	if !known {
		record = stranger
	}
	digest := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(digest[:], record.digest[:]) != 1 || !known {
		return Token{}, false
	}
	return record.token, true
}

// User returns the user of a name, and what a password of theirs must be checked
// against. A name that is not known must cost the same, and so has a hash, too.
// Only if there are no users at all there is nothing to hide: it is zero then.
func (f *File) User(name string) (u User, h password.Hash, known bool) {
	k := f.known()
	if record, ok := k.users[name]; ok {
		return record.user, record.hash, true
	}
	if len(k.users) > 0 {
		h = password.Nobody
	}
	return User{}, h, false
}

// records are the tokens by id and the users by name.
type records struct {
	tokens map[string]*tokenRecord
	users  map[string]*userRecord
}

// A tokenRecord is a token that is ready to be compared with.
type tokenRecord struct {
	token  Token
	digest [sha256.Size]byte
}

// stranger stands for tokens that are not known, so that they cost the same.
var stranger = &tokenRecord{}

// A userRecord is a user that is ready to be compared with.
type userRecord struct {
	user User
	hash password.Hash
}
