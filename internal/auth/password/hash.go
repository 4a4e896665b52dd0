package password

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// How passwords are hashed: PBKDF2 with HMAC-SHA-256.
//
// Source: OWASP Password Storage Cheat Sheet, section PBKDF2.
const (
	hashName      = "pbkdf2-sha256"
	iterations    = 600_000
	maxIterations = 10_000_000
	saltSize      = 16 // bytes
)

// A Hash is what is kept of a password. The zero Hash is that of none.
type Hash struct {
	iterations int
	salt, sum  string
}

// Nobody is the hash of a password that nobody has, but to check one against it
// costs the same work as ever.
var Nobody = Hash{iterations: iterations, salt: "nobody", sum: string(make([]byte, sha256.Size))}

// New returns a new hash of a password, which takes a good part of a second.
func New(password string) Hash {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	h := Hash{iterations: iterations, salt: string(salt)}
	h.sum = h.derive(password)
	return h
}

// derive computes the sum of a password.
func (h Hash) derive(password string) string {
	sum, err := pbkdf2.Key(sha256.New, password, []byte(h.salt), h.iterations, sha256.Size)
	if err != nil { // only if FIPS 140 mode forbids the parameters, which it does not
		panic(err)
	}
	return string(sum)
}

// String returns the text that [Parse] reads.
func (h Hash) String() string {
	enc := base64.RawStdEncoding
	return strings.Join([]string{hashName, strconv.Itoa(h.iterations), enc.EncodeToString([]byte(h.salt)), enc.EncodeToString([]byte(h.sum))}, "$")
}

// Parse reads a hash. It refuses one that is too weak, or too much work to
// check a password against.
func Parse(s string) (Hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 4 || parts[0] != hashName {
		return Hash{}, errors.New("password has not the form " + hashName + "$ITERATIONS$SALT$SUM")
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < iterations || n > maxIterations {
		return Hash{}, fmt.Errorf("password has %q iterations, want %d to %d", parts[1], iterations, maxIterations)
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[2])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[3])
	if err := errors.Join(err1, err2); err != nil {
		return Hash{}, fmt.Errorf("password: %w", err)
	}
	if len(salt) < saltSize || len(sum) != sha256.Size {
		return Hash{}, errors.New("password is cut short")
	}
	return Hash{iterations: n, salt: string(salt), sum: string(sum)}, nil
}
