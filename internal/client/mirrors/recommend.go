package mirrors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/source"
)

// A mirror that GOPROXY names first stays there as long as no other is better by so much,
// in percent of what a module takes: less is within what the next measurement may say.
const worthwhile = 10

// Recommend returns a GOPROXY and why it should be that: the best mirror, the second best
// to stand in for it, and what must stay of the current one. It is empty where no mirror
// can be recommended. A mirror that served wrong bytes never is.
//
// The value is for "go env -w" and may hold credentials, if the current GOPROXY does: show
// it by [source.RedactList] only. The reason holds none.
func (r Report) Recommend() (goproxy, reason string) {
	picks := r.picks()
	if len(picks) == 0 {
		return "", r.hopeless()
	}
	front, end := r.frame()
	var b strings.Builder
	for _, e := range front {
		b.WriteString(e.URL + e.Separator())
	}
	for i, pick := range picks {
		if i > 0 {
			b.WriteString("|")
		}
		b.WriteString(pick.Entry.URL)
	}
	return b.String() + end, r.reason(picks, front, end)
}

// picks are the one or two mirrors to name: the most reliable ones there are.
func (r Report) picks() []Result {
	for grade := range 3 {
		usable := slices.DeleteFunc(slices.Clone(r.Mirrors), func(m Result) bool { return !r.eligible(m) || m.grade() > grade })
		if len(usable) > 0 {
			r.stay(usable)
			return usable[:min(len(usable), 2)]
		}
	}
	return nil
}

// eligible reports whether a mirror may be named at all.
func (r Report) eligible(m Result) bool {
	return m.State == Works && (m.Listed || len(r.Private) == 0)
}

// stay moves the mirror that GOPROXY names first to the front, if the best one is hardly
// better.
func (r Report) stay(ranked []Result) {
	best, at := ranked[0], r.firstListed(ranked)
	if at < 1 {
		return
	}
	current := ranked[at]
	if current.grade() > best.grade() || current.lack() > best.lack() || current.cost() == unknownCost || 100*current.cost() > (100+worthwhile)*best.cost() {
		return
	}
	copy(ranked[1:], ranked[:at])
	ranked[0] = current
}

// firstListed is where the one stands that GOPROXY names before all others; -1: it names
// none of them.
func (r Report) firstListed(ranked []Result) int {
	for _, e := range r.Current {
		if at := slices.IndexFunc(ranked, func(m Result) bool { return SameURL(m.Entry, e) }); at >= 0 {
			return at
		}
	}
	return -1
}

// SameURL reports whether two entries name the same mirror.
func SameURL(a, b source.Entry) bool {
	return strings.TrimSuffix(a.URL, "/") == strings.TrimSuffix(b.URL, "/")
}

// frame is what stays of the current GOPROXY: folders and proxies that have other modules
// than the public ones, at the beginning, and direct or off with the sign before it.
func (r Report) frame() (front []source.Entry, end string) {
	sign := ","
	for _, e := range r.Current {
		switch {
		case e.Direct || e.Off:
			return front, sign + e.Redacted()
		case e.IsFolder() || r.lacksAll(e):
			front = append(front, e)
		}
		sign = e.Separator()
	}
	return front, ""
}

func (r Report) lacksAll(e source.Entry) bool {
	return slices.ContainsFunc(r.Mirrors, func(m Result) bool { return SameURL(m.Entry, e) && m.State == Lacks })
}

// hopeless is the reason for no recommendation.
func (r Report) hopeless() string {
	var problems []string
	for _, m := range r.Mirrors {
		if m.State != Works || r.eligible(m) {
			problems = append(problems, m.Name+" "+m.State.describe())
		}
	}
	return "No mirror can be recommended: " + strings.Join(problems, "; ") + "." + r.loyalty()
}

// loyalty says why mirrors that GOPROXY does not name are left out; empty where they are not.
func (r Report) loyalty() string {
	if len(r.Private) == 0 || !slices.ContainsFunc(r.Mirrors, func(m Result) bool { return !m.Listed }) {
		return ""
	}
	return fmt.Sprintf(" Private modules (%s) come through the proxies of GOPROXY, since GONOPROXY does not name them: other mirrors would be asked for them, and are left out.", strings.Join(r.Private, ","))
}

// describe says what a mirror did, as the end of a sentence.
func (s State) describe() string {
	return map[State]string{
		Works: "fails too often", Lies: "serves wrong bytes", Lacks: "has none of the modules", Refuses: "refuses to answer",
		Limits: "says that it is asked too much", Hangs: "hangs", Fails: "fails", Untested: "was not reached in time",
	}[s]
}

// reason says in sentences why.
func (r Report) reason(picks []Result, front []source.Entry, end string) string {
	said := []string{r.praise(picks[0])}
	if len(picks) > 1 {
		said = append(said, fmt.Sprintf("%s stands in for it (%s): after \"|\" any trouble with the first leads to the second.", picks[1].Name, costText(picks[1])))
	}
	if len(front) > 0 {
		said = append(said, "What stood before and has other modules stays at the beginning.")
	}
	switch end {
	case "":
	case ",direct":
		said = append(said, "\",\" stands before direct, so that version control is asked only for what they do not have (404, 410), not when they are in trouble.")
	default:
		said = append(said, fmt.Sprintf("%q stays as it was.", end))
	}
	for _, m := range r.Mirrors {
		if m.State == Lies {
			said = append(said, m.Name+" served wrong bytes: do not use it, and tell whoever runs it.")
		}
	}
	if dropped := r.unmeasured(); len(dropped) > 0 {
		said = append(said, fmt.Sprintf("GOPROXY also names %s, which was not measured and is left out here.", strings.Join(dropped, " and ")))
	}
	return strings.Join(append(said, "GOPRIVATE, GONOPROXY and GONOSUMDB stay as they are."), " ") + r.loyalty()
}

// unmeasured are the proxies of GOPROXY that nobody measured.
func (r Report) unmeasured() []string {
	var names []string
	for _, e := range r.Current {
		measured := slices.ContainsFunc(r.Mirrors, func(m Result) bool { return SameURL(m.Entry, e) })
		if e.URL != "" && !e.IsFolder() && !measured {
			names = append(names, e.Redacted())
		}
	}
	return names
}

// praise says what speaks for the first.
func (r Report) praise(m Result) string {
	how, best := "is the best of those that work", r.Mirrors[0]
	switch {
	case len(r.Mirrors) == 1:
		how = "works"
	case m.Name == best.Name:
	case r.eligible(best):
		how = fmt.Sprintf("is what you have, and %s is hardly faster (%s)", best.Name, costText(best))
	default:
		how = "is the best of those that GOPROXY names"
	}
	text := fmt.Sprintf("%s %s: %s, %s good", m.Name, how, costText(m), answersText(m))
	switch {
	case m.Proven > 0:
		text += fmt.Sprintf(", and %d files are what the checksum database says.", m.Proven)
	default:
		text += ". Its bytes could not be compared with the checksum database."
	}
	if len(m.Behind) > 0 {
		text += fmt.Sprintf(" It lags: of %d of %d modules another mirror has a newer version.", len(m.Behind), m.Compared)
	}
	return text
}

// answersText says how many answers, of all, are good.
func answersText(m Result) string {
	if m.Failed == 0 {
		return fmt.Sprintf("all %d answers are", m.Succeeded)
	}
	return fmt.Sprintf("%d of %d answers are", m.Succeeded, m.Succeeded+m.Failed)
}

func costText(m Result) string {
	if m.PerModule == 0 {
		return "time unknown"
	}
	return m.PerModule.String() + " for a module"
}
