package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// What makes of the key of a secret one that says where the text stands instead.
const (
	fileSuffix     = "_file" // in a file
	variableSuffix = "_env"  // in an environment variable
)

// A place is where the text of a secret stands, if it is not given itself.
type place struct {
	suffix string // of the key; empty: nowhere
	name   string // of the file or the variable
}

// leafAt finds the leaf of a key, or the one whose text it names the place of: then
// there is a suffix.
func leafAt(pattern string) (l leaf, suffix string, ok bool) {
	if l, ok := leafOf(pattern); ok {
		return l, "", true
	}
	for _, suffix := range []string{fileSuffix, variableSuffix} {
		name, has := strings.CutSuffix(pattern, suffix)
		if l, ok := leafOf(name); has && ok && l.canStandAt(suffix) {
			return l, suffix, true
		}
	}
	return leaf{}, "", false
}

// text reads what stands at a place, without blanks around it.
func (l *loader) text(at place) (string, error) {
	if at.suffix == fileSuffix {
		return secretFile(at.name)
	}
	text := strings.TrimSpace(l.environ.get(at.name))
	if text == "" {
		// A secret may have got into the place of the name, so that it is not cited.
		return "", errors.New("no variable of this name is set, or it is empty")
	}
	return text, nil
}

// secretFile is the content of a file, without blanks around it.
func secretFile(name string) (string, error) {
	text, err := readFile(name)
	if text = strings.TrimSpace(text); err == nil && text == "" {
		err = fmt.Errorf("%s is empty", name)
	}
	return text, err
}

// variableInText is how other programs have a variable put into a value.
var variableInText = regexp.MustCompile(`^\$\{\w+\}$`)

// checkReference says why a secret is not what it was meant to be.
func checkReference(s setting) string {
	if !s.leaf.isCredential() || !variableInText.MatchString(s.text) {
		return ""
	}
	return "no variable is put into a value; write its name as " + s.leaf.name() + variableSuffix
}
