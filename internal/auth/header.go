package auth

import (
	"encoding/base64"
	"strings"

	"github.com/goweir/weir/internal/auth/accounts"
	"github.com/goweir/weir/internal/policy"
)

// The schemes of the Authorization header.
type scheme uint8

const (
	basic scheme = iota + 1
	bearer
)

// credentials are what an Authorization header holds.
type credentials struct {
	scheme scheme
	user   string // of basic
	secret string // password of basic, or token
}

// Bounds of what a header may hold, in bytes.
const (
	maxSecret = accounts.MaxPassword // of a password or token
	maxBasic  = policy.MaxName + len(":") + maxSecret
)

// parseAuthorization reads an Authorization header.
//
// Source: RFC 7617 (Basic), RFC 6750 section 2.1 (Bearer).
func parseAuthorization(header string) (credentials, error) {
	word, rest, _ := strings.Cut(header, " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case strings.EqualFold(word, "Basic"):
		return parseBasic(rest)
	case strings.EqualFold(word, "Bearer"):
		if rest == "" || len(rest) > maxSecret {
			return credentials{}, errMalformed
		}
		return credentials{scheme: bearer, secret: rest}, nil
	}
	return credentials{}, refuse("the Authorization header is of a kind that is not accepted here", "send Basic or Bearer; or run: weir login")
}

var errMalformed = refuse("the Authorization header is malformed", "write Basic with base64 of USER:PASSWORD, or Bearer with a token; or run: weir login")

func parseBasic(encoded string) (credentials, error) {
	if len(encoded) > base64.StdEncoding.EncodedLen(maxBasic) {
		return credentials{}, errMalformed
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return credentials{}, errMalformed
	}
	user, password, ok := strings.Cut(string(decoded), ":")
	if !ok || len(password) > maxSecret {
		return credentials{}, errMalformed
	}
	if password == "" && accounts.IsToken(user) {
		user, password = "", user // as in https://TOKEN@host, where there is only a user
	}
	return credentials{scheme: basic, user: user, secret: password}, nil
}
