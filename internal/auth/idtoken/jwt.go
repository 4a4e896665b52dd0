package idtoken

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// IsJWT reports whether a secret has the form of an identity token: three parts,
// of which the first is the base64 of a JSON object.
func IsJWT(s string) bool {
	return strings.HasPrefix(s, "ey") && strings.Count(s, ".") == 2 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

var errNoIdentity = refuse("the token has the form of an identity token, but is none", hintLogin)

// issuerOf returns the issuer that a token says it is of. Nothing of the token
// has been verified yet.
func issuerOf(raw string) (string, error) {
	var claims map[string]any
	if err := decodePart(raw, 1, &claims); err != nil {
		return "", err
	}
	name, ok := claims["iss"].(string)
	if !ok {
		return "", errNoIdentity
	}
	return name, nil
}

// keyOf returns the id of the key that a token says it is signed with.
func keyOf(raw string) (string, error) {
	var header struct {
		Key string `json:"kid"`
	}
	err := decodePart(raw, 0, &header)
	return header.Key, err
}

// decodePart reads a part of a token.
func decodePart(raw string, part int, v any) error {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return errNoIdentity
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil || json.Unmarshal(data, v) != nil {
		return errNoIdentity
	}
	return nil
}
