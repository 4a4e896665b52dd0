package gocmd

import (
	"encoding/json"
	"testing"
)

func TestAProblemIsATextHoweverItIsWrapped(t *testing.T) {
	for text, want := range map[string]Problem{
		`{}`: "", `{"Error":null}`: "", `{"Error":"a \"b\""}`: `a "b"`, `{"Error":{"Err":"a"}}`: "a", `{"Error":{}}`: "",
	} {
		var a struct{ Error Problem }
		if err := json.Unmarshal([]byte(text), &a); err != nil || a.Error != want {
			t.Errorf("%s: %q, %v", text, a.Error, err)
		}
	}
	var a struct{ Error Problem }
	if err := json.Unmarshal([]byte(`{"Error":1}`), &a); err == nil {
		t.Errorf("a number is the problem %q", a.Error)
	}
}
