// Package netrc finds credentials in files of the format of .netrc.
//
// It reads what it is given and opens nothing. Credentials of "default" are for hosts
// nobody thought of and are never found.
//
// Sources: the manual of GNU inetutils; cmd/go/internal/auth/netrc.go and auth.go.
package netrc

import (
	"iter"
	"strings"
)

// entry are the credentials for one machine.
type entry struct{ machine, login, password string }

// Find returns the first credentials for a host in the contents of a file. The machine
// must be written as the host is in the URL, with its port if that names one, as for
// the go command.
func Find(data, host string) (login, password string, ok bool) {
	for e := range entries(data) {
		if strings.EqualFold(e.machine, host) {
			return e.login, e.password, true
		}
	}
	return "", "", false
}

// Hosts yields the machines that there are credentials for, in the order of the file and
// as often as there.
func Hosts(data string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := range entries(data) {
			if !yield(e.machine) {
				return
			}
		}
	}
}

// entries yields those that are complete, each as soon as it is.
func entries(data string) iter.Seq[entry] {
	return func(yield func(entry) bool) { read(data, yield) }
}

func read(data string, yield func(entry) bool) {
	var e entry
	inMacro := false
	for line := range strings.SplitSeq(data, "\n") {
		if inMacro { // which ends with an empty line
			inMacro = strings.TrimSuffix(line, "\r") != ""
			continue
		}
		words := strings.Fields(line)
		for len(words) > 0 {
			if words[0] == "default" {
				e, words = entry{}, words[1:]
				continue
			}
			if len(words) == 1 {
				break
			}
			inMacro = inMacro || words[0] == "macdef"
			before := e.complete()
			e.take(words[0], words[1])
			if !before && e.complete() && !yield(e) {
				return
			}
			words = words[2:]
		}
	}
}

// take notes a word and its value. Those that are not known are passed over.
func (e *entry) take(word, value string) {
	switch word {
	case "machine":
		*e = entry{machine: value}
	case "login":
		e.login = value
	case "password":
		e.password = value
	}
}

func (e *entry) complete() bool { return e.machine != "" && e.login != "" && e.password != "" }
