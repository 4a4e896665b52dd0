package upstream

import "strings"

// netrcEntry are the credentials for one machine.
type netrcEntry struct{ machine, login, password string }

// findNetrc returns the first credentials for a host in a file of the format of
// .netrc. The machine must be written as the host is in the URL, with its port if
// that names one, as for the go command. Credentials of "default" are for hosts
// nobody thought of and are not used.
//
// Sources: the manual of GNU inetutils; cmd/go/internal/auth/netrc.go and
// auth.go.
func findNetrc(data, host string) (netrcEntry, bool) {
	var e netrcEntry
	inMacro := false
	for line := range strings.SplitSeq(data, "\n") {
		if inMacro { // which ends with an empty line
			inMacro = strings.TrimSuffix(line, "\r") != ""
			continue
		}
		words := strings.Fields(line)
		for len(words) > 0 {
			if words[0] == "default" {
				e, words = netrcEntry{}, words[1:]
				continue
			}
			if len(words) == 1 {
				break
			}
			inMacro = inMacro || words[0] == "macdef"
			e.take(words[0], words[1])
			if e.complete() && strings.EqualFold(e.machine, host) {
				return e, true
			}
			words = words[2:]
		}
	}
	return netrcEntry{}, false
}

// take notes a word and its value. Those that are not known are passed over.
func (e *netrcEntry) take(word, value string) {
	switch word {
	case "machine":
		*e = netrcEntry{machine: value}
	case "login":
		e.login = value
	case "password":
		e.password = value
	}
}

func (e *netrcEntry) complete() bool { return e.machine != "" && e.login != "" && e.password != "" }
