package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName bounds names of subjects and groups, in bytes.
const MaxName = 250

// CheckName checks the name of a subject or group, which stands in logs and is
// compared with what people have written: it must be what it looks like.
func CheckName(s string) error {
	switch {
	case s == "":
		return errors.New("the name is empty")
	case len(s) > MaxName:
		return fmt.Errorf("the name is longer than %d bytes", MaxName)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) || strings.TrimSpace(s) != s:
		return errors.New("names are made of visible characters, with blanks between them at most")
	}
	return nil
}

// CheckGroups checks the names of the groups of a subject.
func CheckGroups(groups []string) error {
	for _, g := range groups {
		if err := CheckName(g); err != nil {
			return fmt.Errorf("group %q: %w", g, err)
		}
	}
	return nil
}

func isControl(r rune) bool { return !unicode.IsGraphic(r) }
