// Package explain knows what the go command means when it cannot get or prove a module:
// [Text] reads what it has printed and says of each message what has failed, why, and
// what to do, in English and in Chinese, with the names of this case.
//
// What it knows are the rows of [Messages]: data, in the files named messages_*.go. A
// text is taken as it comes: from a terminal that has broken lines, from the log of a CI
// service with its timestamps and colours, with several messages or the same one many
// times. A message that only follows from another one says so, and comes after it. What
// is not known is said to be unknown; nothing is guessed.
//
// It reads nothing but the text it is given, runs nothing, and shows no password of a URL.
// What it returns holds no control characters, and its commands are safe to paste: values
// from the text are quoted for a POSIX shell, and a command is left out where that is not
// possible.
//
// The messages are those of go1.26 and of git; sources are $GOROOT/src/cmd/go and, for the
// protocol, the Go Modules Reference.
package explain

import (
	"slices"
	"strings"
	"sync"
)

// A Lang is a language of the explanations.
type Lang int

// The languages.
const (
	English Lang = iota
	Chinese
)

// LangOf is the language that a locale asks for, as in zh_CN.UTF-8, and whether it is one
// that there is.
func LangOf(locale string) (l Lang, ok bool) {
	name, _, _ := strings.Cut(strings.ToLower(locale), ".")
	language, _, _ := strings.Cut(strings.ReplaceAll(name, "-", "_"), "_")
	switch language {
	case "en":
		return English, true
	case "zh":
		return Chinese, true
	}
	return English, false
}

// A Phrase is one text in every language. It may name values of the message, as {module}.
type Phrase struct{ EN, ZH string }

// In is the text in a language.
func (p Phrase) In(l Lang) string {
	if l == Chinese {
		return p.ZH
	}
	return p.EN
}

// A Hop is a part of the way to a module: who did not do what was asked.
type Hop int

// The hops. Where a message may come from several, its URL says from which.
const (
	FromURL      Hop = iota // what the URL of the message says
	Settings                // the variables of the go command
	Project                 // go.mod, go.sum, go.work, vendor and imports
	Cache                   // the module cache of this machine
	HTTPProxy               // what HTTP_PROXY and HTTPS_PROXY name
	Proxy                   // an entry of GOPROXY
	ProxiedSumDB            // the checksum database, asked through a proxy
	SumDB                   // the checksum database itself
	Discovery               // the page that tells where a module is (?go-get=1)
	VCS                     // version control
	Content                 // the module as its author made it
	GoToolchain             // the Go version that is wanted
)

// hops are what hops are called: by machines, and by people.
var hops = map[Hop]struct {
	id   string
	name Phrase
}{
	Settings:     {"settings", Phrase{"settings of the go command", "go 命令的设置"}},
	Project:      {"project", Phrase{"files of the project", "项目文件"}},
	Cache:        {"cache", Phrase{"module cache", "模块缓存"}},
	HTTPProxy:    {"http-proxy", Phrase{"HTTP proxy of this machine", "本机的 HTTP 代理"}},
	Proxy:        {"proxy", Phrase{"module proxy", "模块代理"}},
	ProxiedSumDB: {"proxied-sumdb", Phrase{"checksum database, through the proxy", "校验和数据库（经模块代理）"}},
	SumDB:        {"sumdb", Phrase{"checksum database", "校验和数据库"}},
	Discovery:    {"discovery", Phrase{"import path discovery (?go-get=1)", "导入路径发现（?go-get=1）"}},
	VCS:          {"vcs", Phrase{"version control", "版本控制系统"}},
	Content:      {"content", Phrase{"the module itself", "模块本身"}},
	GoToolchain:  {"toolchain", Phrase{"Go toolchain", "Go 工具链"}},
}

// String is what a hop is called by machines; empty for FromURL.
func (h Hop) String() string { return hops[h].id }

// Name is what a hop is called by people; empty for FromURL.
func (h Hop) Name(l Lang) string { return hops[h].name.In(l) }

// remote reports whether messages of a hop name a URL that has failed.
func (h Hop) remote() bool {
	switch h {
	case Settings, Project, Cache, Content:
		return false
	}
	return true
}

// A Rank says what a reader should see to first.
type Rank int

// The ranks, the most urgent last.
const (
	Warning Rank = iota - 1 // the command has gone on
	Usual
	Urgent // nothing works before this is put right
)

// A Message is one thing that the go command says, and what is known about it: one row of
// the message base.
type Message struct {
	ID       string   // readable, never changed and never used for something else
	Hop      Hop      // who fails
	Rank     Rank     // what to see to first
	Example  string   // the message as it is printed
	Patterns []string // how it is recognised, see compile; any of them
	General  bool     // it fits whatever nothing more is known about
	Follows  []string // ids of what this is a consequence of, if both are there; may end in *
	Title    Phrase   // what has happened, in a few words
	Cause    Phrase   // why
	Fix      Phrase   // what to do
	Commands []string // to paste as they are: they look, or undo, or repair, but lower no protection and overwrite no setting
	Source   string   // where the message is from, if the go command cannot be brought to print it in a test

	patterns []pattern
	told     []string // the values that its texts name: where they are the same, it says the same
}

// Messages returns the message base. Of several messages that a text may be, the first
// is meant: what is special stands before what is general.
var Messages = sync.OnceValue(func() []Message {
	all := slices.Concat(
		settingsMessages,
		toolchainMessages,
		moduleMessages,
		httpProxyMessages,
		sumDBMessages,
		discoveryMessages,
		vcsMessages,
		tlsMessages,
		networkMessages,
		proxyMessages,
		projectMessages,
	)
	for i := range all {
		m := &all[i]
		for _, written := range m.Patterns {
			m.patterns = append(m.patterns, compile(written))
		}
		m.told = valuesIn(m.Title.EN, m.Cause.EN, m.Fix.EN)
	}
	return all
})
