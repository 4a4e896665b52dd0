package gocmd

import (
	"bytes"
	"encoding/json"
)

// A Problem is what the go command complains of in its JSON: a text (go mod
// download), or an object with one (go list).
type Problem string

// UnmarshalJSON implements json.Unmarshaler.
func (p *Problem) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte{'"'}) {
		return json.Unmarshal(data, (*string)(p))
	}
	var wrapped struct{ Err string }
	err := json.Unmarshal(data, &wrapped)
	*p = Problem(wrapped.Err)
	return err
}
