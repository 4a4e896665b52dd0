package govars

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest is the one of several words that a misspelt one was meant to be, or empty.
func Nearest(words []string, word string) string {
	const longest = 40 // more is no slip of the fingers
	if len(words) == 0 || len(word) > longest {
		return ""
	}
	word = strings.ToLower(word)
	away := func(w string) int { return distance(word, strings.ToLower(w)) }
	found := slices.MinFunc(words, func(a, b string) int { return cmp.Compare(away(a), away(b)) })
	if away(found) > max(1, len(found)/3) {
		return ""
	}
	return found
}

// distance counts the letters to insert, remove or replace to make b of a.
func distance(a, b string) int {
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replaced := above[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, above[j+1]+1, row[j]+1)
		}
		above = row
	}
	return above[len(b)]
}
