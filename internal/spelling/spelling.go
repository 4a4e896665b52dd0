// Package spelling finds the word that a misspelt one was meant to be.
package spelling

import (
	"cmp"
	"slices"
	"strings"
)

// longest is how long a word may be, in bytes: more is no slip of the fingers.
const longest = 80

// Nearest is the one of several words that is spelt most alike, whatever the case of
// letters, or empty where none is alike.
func Nearest(words []string, word string) string {
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
