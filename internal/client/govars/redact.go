package govars

import (
	"regexp"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/goenv"
)

// hidden stands for what could be a secret.
const hidden = "xxxxx"

// urls are the variables whose value is one URL at the end, also where it has no scheme.
var urls = []string{"GOSUMDB", "HTTP_PROXY", "HTTPS_PROXY"}

// Redact is the value of a variable as it may be shown: without all from the first URL up
// to the last @, without queries and fragments, and without what commands are told that print
// credentials. It hides rather too much than too little, since a password may hold any
// character.
func Redact(name, value string) string {
	if name == "GOAUTH" {
		return withoutArguments(value)
	}
	if slices.Contains(urls, name) {
		return RedactURL(value)
	}
	shown, start := withoutUser(value), 0
	if name != "GOPROXY" { // in a pattern a question mark stands for any letter
		if start = strings.Index(shown, "://"); start < 0 {
			return shown
		}
	}
	return shown[:start] + queryOfEntry.ReplaceAllString(shown[start:], "${1}"+hidden)
}

// queryOfEntry is the query or fragment of an entry of a list.
var queryOfEntry = regexp.MustCompile(`([?#])[^,|]*`)

// RedactURL is a URL, or the address of a repository, as it may be shown: without user,
// query and fragment.
func RedactURL(url string) string { return withoutQuery(withoutUser(url)) }

func withoutUser(value string) string {
	at := strings.LastIndexByte(value, '@')
	if at < 0 {
		return value
	}
	start := 0
	if i := strings.Index(value[:at], "://"); i >= 0 && !strings.Contains(value[:i], "@") {
		start = i + len("://")
	}
	return value[:start] + hidden + value[at:]
}

func withoutQuery(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		return url[:i+1] + hidden
	}
	return url
}

// IsWeirAuth reports whether a command of GOAUTH is "weir auth", wherever weir is. It has no
// secrets.
func IsWeirAuth(command string) bool {
	words, err := goenv.Words(command)
	if err != nil || len(words) != 2 || words[1] != "auth" {
		return false
	}
	program := words[0][strings.LastIndexAny(words[0], `/\`)+1:]
	return strings.TrimSuffix(program, ".exe") == "weir"
}

// withoutArguments keeps those of commands whose arguments are known to be no secrets.
func withoutArguments(goauth string) string {
	commands := strings.Split(withoutUser(goauth), ";") // a password may hold a semicolon
	for i, command := range commands {
		words := strings.Fields(command)
		isGit := len(words) == 2 && words[0] == "git" && isAbsolute(words[1])
		if len(words) > 1 && !isGit && !IsWeirAuth(command) {
			commands[i] = withoutQuery(words[0]) + " …"
		} else {
			commands[i] = withoutQuery(command)
		}
	}
	return strings.Join(commands, ";")
}
