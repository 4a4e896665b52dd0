package explain

import (
	"cmp"
	"slices"
	"strings"
)

// A Finding is one thing that a text complains of.
type Finding struct {
	Message *Message          // what is known about it; nil: nothing
	Text    string            // its first line, without control characters
	Line    int               // where it stands, from 1
	Count   int               // how often it stands there, and others that come to the same
	Hop     Hop               // who failed
	Values  map[string]string // module, version, package, host, url, … as far as they are named
	Server  string            // what the server has said for itself
	Others  []string          // more modules that fail in the same way
	Follows string            // the ID of the message that this is a consequence of
}

// Known reports whether it is known what the finding means.
func (f Finding) Known() bool { return f.Message != nil }

// An Explanation is what a finding means, in one language.
type Explanation struct {
	Title    string   `json:"title"`
	Where    string   `json:"where,omitempty"` // hop, host, module and version
	Cause    string   `json:"cause"`
	Fix      string   `json:"fix"`
	Commands []string `json:"commands,omitempty"` // to paste into a POSIX shell
	Note     string   `json:"note,omitempty"`     // how to see more
}

// Nobody reads more than this, and no text may keep a machine busy.
const (
	maxFindings  = 500 // different ones that are known
	maxUnknown   = 100 // different ones that are not
	maxUnwrapped = 500 // lines that are tried together with those after them
)

// Text explains what a go command has printed: causes first, then what follows from them,
// then what is not known.
func Text(text string) []Finding {
	all := lines(text)
	whole := unfolded(all)
	r := readBlocks(blocks(whole))
	// Who breaks lines at blanks, as mails do, has a widest line, too.
	if len(whole) < len(all) {
		if broken := readBlocks(blocks(all)); broken.vague() < r.vague() {
			r = broken
		}
	}
	r.linkConsequences()
	slices.SortStableFunc(r.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.order(), b.order()), cmp.Compare(a.Line, b.Line))
	})
	return r.findings
}

// order is where a finding stands among others: the lowest first.
func (f Finding) order() int {
	switch {
	case !f.Known():
		return 100
	case f.Follows != "":
		return 50 - int(f.Message.Rank)
	}
	return -int(f.Message.Rank)
}

// A reader collects findings.
type reader struct {
	findings  []Finding
	seen      map[string]int // index of a finding by what it says
	unknown   int
	unwrapped int
}

func readBlocks(all []block) *reader {
	r := &reader{seen: map[string]int{}}
	r.read(all)
	return r
}

// vague is how many findings are not known, or not well.
func (r *reader) vague() (n int) {
	for _, f := range r.findings {
		if wanting(f.Message) {
			n++
		}
	}
	return n
}

func (r *reader) read(all []block) {
	for i := 0; i < len(all); i++ {
		if testOutput.MatchString(all[i].whole) {
			continue
		}
		m, values := recognise(all[i])
		b, more := all[i], 0
		if wanting(m) && (m != nil || b.complains()) && r.unwrapped < maxUnwrapped {
			r.unwrapped++
			if longer, longerValues, joined, n := unwrapped(all[i:]); longer != nil && (m == nil || !wanting(longer)) {
				m, values, b, more = longer, longerValues, joined, n
			}
		}
		switch {
		case m != nil:
			r.add(m, values, b)
		case unanswered(all, i):
			r.add(silence(), map[string]string{"url": strings.TrimPrefix(b.first(), asking)}, b)
		case b.complains():
			r.addUnknown(b)
		}
		i += more
	}
}

// wanting reports whether a message is not known, or not well enough: with the lines after
// it, it might be.
func wanting(m *Message) bool { return m == nil || m.General }

// maxWrapped is how many lines the first line of a message may have been broken into.
const maxWrapped = 5

// unwrapped recognises a message whose first line a terminal has broken anywhere, or a
// mail at a blank. It returns how many more blocks the message takes.
func unwrapped(all []block) (m *Message, values map[string]string, b block, more int) {
	candidates := []block{all[0]}
	for n := 1; n < min(maxWrapped, len(all)); n++ {
		next := all[n]
		if next.complains() || chatter.MatchString(next.whole) {
			break
		}
		var longer []block
		for _, c := range candidates {
			longer = append(longer, c.joined(next, ""), c.joined(next, " "))
		}
		for _, candidate := range longer {
			found, itsValues := recognise(candidate)
			if found == nil || found.General && m != nil {
				continue
			}
			m, values, b, more = found, itsValues, candidate, n
			if !found.General {
				return m, values, b, more
			}
		}
		candidates = longer
	}
	return m, values, b, more
}

// asking stands before a URL that "go -x" has begun to ask for.
const asking = "# get "

// unanswered reports whether a block is the last sign of life of a "go -x" that waits for
// an answer.
func unanswered(all []block, i int) bool {
	url, ok := strings.CutPrefix(all[i].first(), asking)
	if !ok || strings.ContainsAny(url, " ") {
		return false
	}
	for _, later := range all[i+1:] {
		if strings.HasPrefix(later.first(), asking+url) || later.complains() {
			return false
		}
	}
	return true
}

// silence is the message for a server that does not answer: the go command has none.
func silence() *Message {
	for i, m := range Messages() {
		if m.ID == "proxy-silent" {
			return &Messages()[i]
		}
	}
	return nil
}

// maxText bounds the text of a finding, in runes.
const maxText = 400

func (r *reader) add(m *Message, values map[string]string, b block) {
	complete(values, m, b)
	f := Finding{Message: m, Text: shortened(b.first()), Line: b.number, Count: 1, Hop: m.Hop, Values: values, Server: shortened(b.response())}
	if f.Hop == FromURL {
		f.Hop = hopOf(values["url"])
	}
	says := m.ID + "\n" + f.Hop.String() + "\n" + values["host"]
	for _, name := range m.told {
		says += "\n" + values[name]
	}
	r.fold(f, says, len(r.findings)-r.unknown < maxFindings)
}

func (r *reader) addUnknown(b block) {
	if r.fold(Finding{Text: shortened(b.first()), Line: b.number, Count: 1}, b.first(), r.unknown < maxUnknown) {
		r.unknown++
	}
}

// fold counts a finding if there is one that says the same, or adds it if there is room.
// It reports whether it did that.
func (r *reader) fold(f Finding, says string, room bool) (added bool) {
	if i, ok := r.seen[says]; ok {
		first := &r.findings[i]
		first.Count++
		first.addOther(f.subject())
		return false
	}
	if room {
		r.seen[says] = len(r.findings)
		r.findings = append(r.findings, f)
	}
	return room
}

// subject is the module that a finding is about.
func (f Finding) subject() string {
	if f.Values["version"] == "" {
		return f.Values["module"]
	}
	return f.Values["module"] + "@" + f.Values["version"]
}

// maxOthers bounds how many modules are named that fail in the same way.
const maxOthers = 50

func (f *Finding) addOther(subject string) {
	if subject != "" && subject != f.subject() && !slices.Contains(f.Others, subject) && len(f.Others) < maxOthers {
		f.Others = append(f.Others, subject)
	}
}

// linkConsequences finds what would not be there but for something else in the same text.
func (r *reader) linkConsequences() {
	for i := range r.findings {
		f := &r.findings[i]
		if !f.Known() {
			continue
		}
		for _, other := range r.findings {
			if other.Known() && other.Message.ID != f.Message.ID && follows(f.Message, other.Message.ID) {
				f.Follows = other.Message.ID
				break
			}
		}
	}
}

func follows(m *Message, id string) bool {
	return slices.ContainsFunc(m.Follows, func(cause string) bool {
		prefix, all := strings.CutSuffix(cause, "*")
		return id == cause || all && strings.HasPrefix(id, prefix)
	})
}

// In is what a finding means in a language. Of one that is not known there is its text.
func (f Finding) In(l Lang) Explanation {
	if !f.Known() {
		return Explanation{Title: f.Text, Cause: unknownCause.In(l), Fix: unknownFix.In(l)}
	}
	e := Explanation{
		Title: fill(f.Message.Title, l, f.Values),
		Where: f.where(l),
		Cause: fill(f.Message.Cause, l, f.Values),
		Fix:   fill(f.Message.Fix, l, f.Values),
		Note:  notes[f.Hop].In(l),
	}
	for _, command := range f.Message.Commands {
		if filled, ok := fillCommand(command, f.Values); ok {
			e.Commands = append(e.Commands, filled)
		}
	}
	return e
}

// where names what is known about the place.
func (f Finding) where(l Lang) string {
	var parts []string
	for _, part := range []string{f.Hop.Name(l), f.Values["host"], cmp.Or(f.subject(), f.Values["package"])} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " · ")
}

// notes say what a message of a hop hides.
var notes = map[Hop]Phrase{
	Discovery: lastOfList,
	VCS:       lastOfList,
}

var lastOfList = Phrase{
	"Only the last word is shown: if GOPROXY ends in \"direct\" and a proxy before it said 404 or 410, its reason is lost. Run the command again with GOPROXY set to the proxy alone to see it.",
	"这里只显示最后一步的错误：如果 GOPROXY 以 direct 结尾，而前面的代理回答了 404 或 410，代理给出的原因就看不到了。把 GOPROXY 只设为该代理再运行一次即可看到。",
}

var (
	unknownCause = Phrase{
		"This message is not in the message base.",
		"消息库中没有这条消息。",
	}
	unknownFix = Phrase{
		"If it is about fetching, \"weir doctor MODULE\" tries every hop from here, and the go command itself shows each request with -x, as in: go mod download -x MODULE@VERSION",
		"如果与下载有关，可用 weir doctor MODULE 逐段检查；也可加 -x 让 go 命令显示每个请求，例如：go mod download -x MODULE@VERSION",
	}
)

// shortened is a text of at most maxText runes.
func shortened(text string) string {
	if runes := []rune(text); len(runes) > maxText {
		return string(runes[:maxText]) + "…"
	}
	return text
}
