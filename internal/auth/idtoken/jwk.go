package idtoken

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// A keySet is the keys of an issuer by their id.
type keySet map[string][]crypto.PublicKey

// find returns the keys with an id, or all for the empty id.
func (s keySet) find(id string) (keys []crypto.PublicKey) {
	if id != "" {
		return s[id]
	}
	for _, some := range s {
		keys = append(keys, some...)
	}
	return keys
}

// maxKeys bounds the keys of an issuer.
const maxKeys = 100

// parseKeys reads a JSON Web Key Set (RFC 7517). Keys of a kind that is not
// accepted, or that are malformed, are left out; that none is left is an error.
func parseKeys(data []byte) (keySet, error) {
	var document struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("the keys of the issuer are malformed: %w", err)
	}
	set := keySet{}
	for _, j := range document.Keys[:min(len(document.Keys), maxKeys)] {
		if key := j.public(); key != nil && (j.Use == "" || j.Use == "sig") {
			set[j.ID] = append(set[j.ID], key)
		}
	}
	if len(set) == 0 {
		return nil, errors.New("the issuer has no key that can be used")
	}
	return set, nil
}

// A jwk is a JSON Web Key.
//
// Source: RFC 7518, section 6 (RSA, EC); RFC 8037, section 2 (OKP).
type jwk struct {
	Type  string `json:"kty"`
	ID    string `json:"kid"`
	Use   string `json:"use"`
	Curve string `json:"crv"`
	N     octets `json:"n"`
	E     octets `json:"e"`
	X     octets `json:"x"`
	Y     octets `json:"y"`
}

// octets are bytes in unpadded base64url; nil if they are malformed.
type octets []byte

func (o *octets) UnmarshalText(text []byte) error {
	data, err := base64.RawURLEncoding.DecodeString(string(text))
	if err == nil {
		*o = data
	}
	return nil
}

// public returns the key; nil if it is malformed or of a kind that is not accepted.
func (j *jwk) public() crypto.PublicKey {
	switch {
	case j.Type == "RSA":
		return j.rsa()
	case j.Type == "EC" && j.Curve == "P-256" && len(j.X) == 32 && len(j.Y) == 32:
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, j.X, j.Y))
		if err != nil {
			return nil
		}
		return key
	case j.Type == "OKP" && j.Curve == "Ed25519" && len(j.X) == ed25519.PublicKeySize:
		return ed25519.PublicKey(j.X)
	}
	return nil
}

// The sizes of RSA moduli that are accepted, in bits.
const (
	minRSA = 2048
	maxRSA = 8192
)

func (j *jwk) rsa() crypto.PublicKey {
	n := new(big.Int).SetBytes(j.N)
	e := new(big.Int).SetBytes(j.E)
	if n.BitLen() < minRSA || n.BitLen() > maxRSA || e.BitLen() > 31 || e.Int64() < 3 {
		return nil
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}
}
