package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goweir/weir/internal/spelling"
)

// allKeys are the keys of all that the file may hold.
var allKeys = func() []string {
	var keys []string
	for _, l := range allLeaves {
		keys = append(keys, l.key)
	}
	keys = append(keys, sections...)
	for _, c := range collections {
		keys = append(keys, c.key)
	}
	return keys
}()

// known are the keys of a section, without its name.
func known(section string) []string {
	var keys []string
	for _, key := range allKeys {
		if parent, name := split(key); parent == section {
			keys = append(keys, name)
		}
	}
	return keys
}

// split takes a key apart into its section, which is empty for the file, and its name.
func split(key string) (section, name string) {
	i := strings.LastIndex(key, ".")
	return key[:max(i, 0)], key[i+1:]
}

// suggestion is what an unknown key may have been meant to be: one of the section that
// is spelt alike, or one of another section; or nothing.
func suggestion(section, name string) string {
	if alike := spelling.Nearest(known(section), name); alike != "" {
		return strconv.Quote(alike)
	}
	for _, key := range allKeys {
		if key == name || strings.HasSuffix(key, "."+name) {
			return fmt.Sprintf("%q, which belongs elsewhere", key)
		}
	}
	return ""
}
