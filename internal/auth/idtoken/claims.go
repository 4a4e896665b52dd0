package idtoken

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// claims are those of a token as text. Of objects within objects the key is made
// of all names, as in kubernetes.io.serviceaccount.name; of a list all values that
// are no objects or lists themselves count.
type claims map[string][]string

// leeway is by how much clocks may differ.
const leeway = time.Minute

// Bounds of the claims of a token.
const (
	maxClaims = 1000 // values
	maxDepth  = 8    // objects within objects
)

func parseClaims(token *oidc.IDToken) (claims, error) {
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, errNoIdentity
	}
	return flatten(payload)
}

// flatten makes claims of a JSON object.
func flatten(payload []byte) (claims, error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, errNoIdentity
	}
	c := claims{}
	left := maxClaims
	return c, c.addObject("", object, maxDepth, &left)
}

func (c claims) addObject(prefix string, object map[string]any, depth int, left *int) error {
	for name, value := range object {
		if err := c.add(prefix+name, value, depth, left); err != nil {
			return err
		}
	}
	return nil
}

// add adds the values of one claim. A key that two claims lead to is an error,
// or one could pass for the other.
func (c claims) add(key string, value any, depth int, left *int) error {
	if object, ok := value.(map[string]any); ok {
		if depth == 0 {
			return errTooMany
		}
		return c.addObject(key+".", object, depth-1, left)
	}
	values := scalars(value)
	if *left -= len(values); *left < 0 {
		return errTooMany
	}
	if _, taken := c[key]; taken {
		return refuse("two claims of the identity token are both "+shown(key), hintLogin)
	}
	c[key] = values
	return nil
}

var errTooMany = refuse("the identity token has too many claims", hintLogin)

// scalars returns the values of a claim that is no object.
func scalars(value any) []string {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	values := make([]string, 0, len(list))
	for _, v := range list {
		switch v := v.(type) {
		case string:
			values = append(values, v)
		case json.Number:
			values = append(values, v.String())
		case bool:
			values = append(values, strconv.FormatBool(v))
		}
	}
	return values
}

// expires checks that a token is valid now and returns until when it is.
func (c claims) expires(now time.Time) (time.Time, error) {
	end, ok := c.time("exp")
	if !ok {
		return end, refuse("the identity token does not say when it expires", "order one that does; or run: weir login")
	}
	if !now.Before(end.Add(leeway)) {
		return end, refuse("the identity token expired at "+end.Format(time.RFC3339), "order a new one; people run: weir login")
	}
	begin, ok := c.time("nbf")
	if ok && now.Add(leeway).Before(begin) {
		return end, refuse("the identity token is not valid before "+begin.Format(time.RFC3339), "wait, or set the clocks right")
	}
	if _, there := c["nbf"]; there && !ok {
		return end, errNoIdentity
	}
	return end, nil
}

// time returns a claim that is a time, in seconds since 1970.
func (c claims) time(key string) (time.Time, bool) {
	if len(c[key]) != 1 {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(c[key][0], 64)
	if err != nil || !(seconds > 0 && seconds < 1<<40) {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}
