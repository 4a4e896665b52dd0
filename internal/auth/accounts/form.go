package accounts

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/goweir/weir/internal/auth/idtoken"
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

// ParseToken takes a token apart. What has not exactly its form is none.
func ParseToken(s string) (id, secret string, ok bool) {
	if len(s) != tokenLength || !strings.HasPrefix(s, tokenPrefix) || s[secretOffset-1] != '_' {
		return "", "", false
	}
	id, secret = s[len(tokenPrefix):secretOffset-1], s[secretOffset:]
	return id, secret, isHex(id) && isHex(secret)
}

// IsToken reports whether a secret can only be a token: one of these, or an
// identity token. It is no password then, wherever it stands.
func IsToken(secret string) bool {
	_, _, ok := ParseToken(secret)
	return ok || idtoken.IsJWT(secret)
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
