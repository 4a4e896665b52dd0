package accounts

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/goweir/weir/internal/auth/password"
	"github.com/goweir/weir/internal/policy"
)

// A document is what stands in the file.
type document struct {
	Tokens []storedToken `json:"tokens,omitempty"`
	Users  []storedUser  `json:"users,omitempty"`
}

// A storedToken is a token as it is stored: without its secret.
type storedToken struct {
	Token
	Digest string `json:"sha256"` // of the secret
}

// A storedUser is a user as it is stored: without the password.
type storedUser struct {
	User
	Hash string `json:"password"`
}

// maxFile bounds the file, in bytes: it has room for 100,000 tokens.
const maxFile = 64 << 20

// readDocument reads the file; a missing one is empty.
func readDocument(path string) (*document, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &document{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFile:
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxFile>>20)
	}
	d, err := parseDocument(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// parseDocument reads the contents of the file. Errors name the line where it is known.
func parseDocument(data []byte) (*document, error) {
	d := &document{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("%sthis is no file of tokens: %w", line(data, err), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the end of the tokens")
	}
	return d, nil
}

// line says in which line an error of encoding/json is.
func line(data []byte, err error) string {
	offset := int64(-1)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		offset = int64(len(data))
	}
	if offset < 0 || offset > int64(len(data)) {
		return ""
	}
	return fmt.Sprintf("line %d: ", 1+bytes.Count(data[:offset], []byte("\n")))
}

// compile checks the document and makes it ready for use.
func (d *document) compile() (*records, error) {
	k := &records{tokens: map[string]*tokenRecord{}, users: map[string]*userRecord{}}
	for i, t := range d.Tokens {
		record, err := t.compile()
		if err == nil && k.tokens[t.ID] != nil {
			err = errors.New("there is one with this id before it")
		}
		if err != nil {
			return nil, fmt.Errorf("token %d (id %q): %w", i+1, t.ID, err)
		}
		k.tokens[t.ID] = record
	}
	for i, u := range d.Users {
		record, err := u.compile()
		if err == nil && k.users[u.Name] != nil {
			err = errors.New("there is one with this name before it")
		}
		if err != nil {
			return nil, fmt.Errorf("user %d (name %q): %w", i+1, u.Name, err)
		}
		k.users[u.Name] = record
	}
	return k, nil
}

func (t storedToken) compile() (*tokenRecord, error) {
	record := &tokenRecord{token: t.Token}
	n, err := hex.Decode(record.digest[:], []byte(t.Digest[:min(len(t.Digest), 2*len(record.digest))]))
	switch {
	case len(t.ID) != 2*tokenID || !isHex(t.ID):
		return nil, fmt.Errorf("the id has not the form of %d hexadecimal digits", 2*tokenID)
	case err != nil || n != len(record.digest) || len(t.Digest) != 2*n:
		return nil, errors.New("sha256 is no digest")
	}
	return record, checkNames(t.User, t.Groups)
}

func (u storedUser) compile() (*userRecord, error) {
	hash, err := password.Parse(u.Hash)
	if err != nil {
		return nil, err
	}
	return &userRecord{user: u.User, hash: hash}, checkNames(u.Name, u.Groups)
}

// checkNames checks the names of a user and of its groups.
func checkNames(user string, groups []string) error {
	if err := policy.CheckName(user); err != nil {
		return fmt.Errorf("user %q: %w", user, err)
	}
	return policy.CheckGroups(groups)
}

// sorted returns groups in order, each once.
func sorted(groups []string) []string { return slices.Compact(slices.Sorted(slices.Values(groups))) }
