package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	if len(name) > 80 {
		return ""
	}
	if alike := nearest(known(section), name); alike != "" {
		return strconv.Quote(alike)
	}
	for _, key := range allKeys {
		if key == name || strings.HasSuffix(key, "."+name) {
			return fmt.Sprintf("%q, which belongs elsewhere", key)
		}
	}
	return ""
}

// nearest is the one of several words that is spelt most alike, or empty.
func nearest(words []string, word string) string {
	if len(words) == 0 {
		return ""
	}
	found := slices.MinFunc(words, func(a, b string) int { return cmp.Compare(distance(word, a), distance(word, b)) })
	if distance(word, found) > max(1, len(found)/3) {
		return ""
	}
	return found
}

// distance counts the letters to insert, remove or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
