package idtoken

import (
	"strings"
	"testing"
	"time"
)

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"","y":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := parseKeys(data)
		if (err == nil) != (len(set.find("")) > 0) {
			t.Fatalf("%d keys, %v", len(set), err)
		}
	})
}

func FuzzFlatten(f *testing.F) {
	f.Add([]byte(`{"a":{"b":["x",1,true,null,{"c":1}]},"exp":1e9}`))
	f.Add([]byte(`{"a.b":1,"a":{"b":2}}`))
	f.Add([]byte(strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := flatten(data)
		n := 0
		for _, values := range c {
			n += len(values)
		}
		if err == nil && n > maxClaims {
			t.Fatalf("%d values", n)
		}
		c.expires(time.Unix(1e9, 0))
	})
}
