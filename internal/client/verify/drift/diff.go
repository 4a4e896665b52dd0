package drift

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// A change is one line that a diff removes or adds.
type change struct {
	file  string // go.mod or go.sum
	at    int    // the line as it is now, or before which the new one would stand
	added bool
	text  string
}

var hunk = regexp.MustCompile(`^@@ -(\d{1,9})(?:,\d+)? \+\d+(?:,\d+)? @@`)

// parseDiff reads a unified diff as go mod tidy -diff prints it. Lines that belong to no
// hunk are passed over.
//
// Source: cmd/go/internal/modcmd/tidy.go; internal/diff.
func parseDiff(diff []byte) (changes []change) {
	file, at, within := "", 0, false
	for raw := range bytes.Lines(diff) {
		text := strings.TrimSuffix(string(raw), "\n")
		if name, ok := strings.CutPrefix(text, "diff current/"); ok {
			file, _, _ = strings.Cut(name, " ")
			within = false
			continue
		}
		if match := hunk.FindStringSubmatch(text); match != nil {
			at, _ = strconv.Atoi(match[1]) // digits
			within = true
			continue
		}
		if !within || text == "" {
			continue
		}
		switch text[0] {
		case ' ':
			at++
		case '-':
			changes = append(changes, change{file, at, false, text[1:]})
			at++
		case '+':
			changes = append(changes, change{file, max(at, 1), true, text[1:]})
		}
	}
	return changes
}
