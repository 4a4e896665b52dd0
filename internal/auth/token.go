package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"github.com/goweir/weir/internal/policy"
)

// A token is weir_<id>_<secret>, both of lower-case hexadecimal digits. The id
// names it for people. The secret has 192 random bits, more than anybody can
// try, so that a fast digest without salt keeps it as safe as a slow one would:
// only its SHA-256 is stored.
const (
	tokenPrefix  = "weir_"
	tokenID      = 6  // bytes
	tokenSecret  = 24 // bytes
	tokenLength  = len(tokenPrefix) + 2*tokenID + 1 + 2*tokenSecret
	secretOffset = len(tokenPrefix) + 2*tokenID + 1
)

// newToken returns the parts of a random token.
func newToken() (id, secret string) {
	var b [tokenID + tokenSecret]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:tokenID]), hex.EncodeToString(b[tokenID:])
}

func formatToken(id, secret string) string { return tokenPrefix + id + "_" + secret }

// parseToken takes a token apart. What has not exactly its form is none.
func parseToken(s string) (id, secret string, ok bool) {
	if len(s) != tokenLength || !strings.HasPrefix(s, tokenPrefix) || s[secretOffset-1] != '_' {
		return "", "", false
	}
	id, secret = s[len(tokenPrefix):secretOffset-1], s[secretOffset:]
	return id, secret, isHex(id) && isHex(secret)
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// A tokenRecord is a token that is ready to be compared with.
type tokenRecord struct {
	token   Token
	digest  [sha256.Size]byte
	subject policy.Subject
}

// stranger stands for tokens that are not known, so that they cost the same.
var stranger = &tokenRecord{}

// verifyToken returns who a token belongs to. That it has expired or was revoked
// is only told to who holds its secret.
func (k *records) verifyToken(id, secret string, now time.Time) (policy.Subject, error) {
	record, known := k.tokens[id]
	if !known {
		record = stranger
	}
	digest := sha256.Sum256([]byte(secret))
	right := subtle.ConstantTimeCompare(digest[:], record.digest[:]) == 1
	switch {
	case !right || !known:
		return policy.Subject{}, errWrong
	case record.token.Revoked:
		return policy.Subject{}, refuse("the token "+id+" was revoked", hintLogin)
	case record.token.expired(now):
		return policy.Subject{}, refuse("the token "+id+" expired at "+record.token.Expires.UTC().Format(time.RFC3339), hintLogin)
	}
	return record.subject, nil
}
