package explain

import (
	"regexp"
	"strings"
)

// serverResponse stands before the words of a server.
const serverResponse = "server response:"

// maxBlock bounds a block, in lines. The go command shows eight lines of what a server
// says, and little more of what git does.
const maxBlock = 60

// A block is what belongs to one message: a line, and the indented ones that follow it.
type block struct {
	number int // of its first line
	whole  string
	own    string // without the words of a server
}

func newBlock(number int, whole string) block {
	own, _, _ := strings.Cut(whole, serverResponse)
	return block{number, whole, own}
}

// first is the first line.
func (b block) first() string {
	first, _, _ := strings.Cut(b.whole, "\n")
	return strings.TrimSpace(first)
}

// response is what the server has said, in one line.
func (b block) response() string {
	_, response, _ := strings.Cut(b.whole, serverResponse)
	return strings.Join(strings.Fields(response), " ")
}

// blocks puts lines together.
func blocks(all []line) []block {
	var found []block
	var collected []string
	start := 0
	flush := func() {
		if len(collected) > 0 {
			found = append(found, newBlock(start, strings.Join(collected, "\n")))
		}
		collected = nil
	}
	for _, l := range all {
		blank := strings.TrimSpace(l.text) == ""
		indented := strings.HasPrefix(l.text, "\t") || strings.HasPrefix(l.text, " ")
		switch {
		case blank:
			// An indented line may follow: git writes paragraphs.
		case indented && len(collected) > 0 && len(collected) < maxBlock:
			collected = append(collected, l.text)
		default:
			flush()
			start, collected = l.number, []string{l.text}
		}
	}
	flush()
	return found
}

// joined is a block and the one after it, whose first line is the rest of the last line of
// this one.
func (b block) joined(next block, glue string) block {
	return newBlock(b.number, b.whole+glue+next.whole)
}

// chatter are lines of the go command and of those that run it which are no complaints, or
// repeat that there was one.
var chatter = regexp.MustCompile(`^(?:` + strings.Join([]string{
	// Unless it says what has failed, as in "updating go.sum: open …".
	`go: (?:downloading|extracting|finding|found|added|upgraded|downgraded|removed|creating new go\.mod|to add module requirements|copying requirements|updating|unzipping|using|to switch to|converting|module \S+ requires go >= [^:\n]*; switching|\S+ requires go >= [^:\n]*; switching)(?:[^:\n]|:[^ \n]|:\n)*:?$`,
	`go: errors parsing [^\n]*:$`, `malformed go\.sum:$`,
	`go: warning: "[^"]*" matched no packages`, `go: warning: ignoring `,
	`# (?:get|\S+(?: \[\S+\])?$)`,
	`SECURITY ERROR`, `(?:old|new) database:`, `proof of misbehavior:`,
	`This download does NOT match`, `The bits may have been`, `have intercepted`, `The checksum server`, `not contain an entry`, `intercepted the checksum`, `The download cannot be verified`, `For more information, see`,
	`Confirm the import path was`, `If this is a private repository`,
	`error: RPC failed`, `fatal: Could not read from remote`,
	`ERROR: failed to (?:solve|build)`, `Error: [Pp]rocess completed`, `make(?:\[\d+\])?: \*\*\*`, `exit status \d+$`, `ok\s`, `FAIL`, `PASS`, `\?\s`,
}, "|") + `)`)

// complaint matches what looks like a message of the go command, or of what it has run,
// that somebody may want to have explained.
var complaint = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`go: `, `go (?:build|get|install|list|mod|run|test|tool|vet|work)\b[^:]*: `, `verifying `, `malformed `, `package \S+\s`,
	`error obtaining `, `failed to initialize `, `build cache is `, `no Go files `, `flag provided but not `, `cgo: `, `pattern \S+: `, `build .*: `, `no required module `,
	`warning: `, `-mod=`, `GOAUTH(?: encountered|=off cannot|=git dir)`, `fatal: `, `error: `, `remote: `, `ssh: `, `hg: `, `abort: `, `go\.sum database`,
	`\S+\.(?:go|mod|sum|work):\d+(?::\d+)?: `,
}, "|") + `)`)

// complains reports whether a block is a complaint.
func (b block) complains() bool {
	return complaint.MatchString(b.whole) && !chatter.MatchString(b.whole)
}

// testOutput is what a test or a program has printed while the go command ran it. It may
// complain in the same words, but of other things.
var testOutput = regexp.MustCompile(`^\s*(?:--- (?:FAIL|PASS|SKIP): |=== (?:RUN|NAME|CONT|PAUSE)\b|\S+_test\.go:\d+: |panic: |goroutine \d+ \[)`)
