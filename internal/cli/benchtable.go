package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/source"
)

// showMirrors prints what was found in three tables, of which each has room for what it
// says in 80 columns. The number of a mirror is its rank.
func showMirrors(screen *term.Screen, r mirrors.Report) {
	verdicts := [][]term.Cell{term.Head("#", "MIRROR", "RESULT")}
	speeds := [][]term.Cell{term.Head("#", "GOOD", "SMALL FILES", "ZIPS", "THROUGHPUT", "BEHIND", "PROVEN")}
	parts := [][]term.Cell{term.Head("#", "DNS", "CONNECT", "TLS", "1ST BYTE", "LIST", "LATEST", "INFO", "MOD", "HTTP", "SUMDB")}
	for i, m := range r.Mirrors {
		number := strconv.Itoa(i + 1)
		verdicts = append(verdicts, []term.Cell{{Text: number}, {Text: bare(m.Name)}, {Text: m.Verdict(), Style: toneStyles[m.Tone()]}})
		if m.Requests == 0 {
			continue
		}
		speeds = append(speeds, speedRow(number, m))
		if len(m.FirstByte) > 0 {
			parts = append(parts, partsRow(number, m))
		}
	}
	screen.Table(verdicts)
	showRows(screen, speeds)
	showRows(screen, parts)
	showNotes(screen, r)
}

// showRows prints a table below another, unless it has only a head.
func showRows(screen *term.Screen, rows [][]term.Cell) {
	if len(rows) > 1 {
		fmt.Fprintln(screen)
		screen.Table(rows)
	}
}

// toneStyles are the colours of results.
var toneStyles = map[mirrors.Tone]term.Style{mirrors.Good: term.Good, mirrors.Warn: term.Warn, mirrors.Bad: term.Bad}

func speedRow(number string, m mirrors.Result) []term.Cell {
	return term.Row(number,
		mirrors.FormatShare(m.SuccessRate()),
		mirrors.FormatPercentiles(m.Small()),
		mirrors.FormatPercentiles(m.Zip),
		mirrors.FormatRate(m.Throughput),
		mirrors.FormatCount(len(m.Behind), m.Compared),
		mirrors.FormatCount(m.Proven, m.Proven+len(m.Wrong)),
	)
}

func partsRow(number string, m mirrors.Result) []term.Cell {
	row := []string{number}
	for _, l := range []mirrors.Latency{m.DNS, m.Connect, m.TLS, m.FirstByte, m.List, m.Latest, m.Info, m.Mod} {
		row = append(row, mirrors.FormatMillis(l))
	}
	return term.Row(append(row, mirrors.FormatProtocol(m.Protocol), string(m.SumDB))...)
}

func showNotes(screen *term.Screen, r mirrors.Report) {
	text := fmt.Sprintf("%d rounds in %v. Times are p50/p90/p99 as far as the sample allows, or medians in ms; small files are list, @latest, .info and .mod.", r.Rounds, r.Took)
	fmt.Fprintln(screen)
	showText(screen, term.Faint, strings.Join(append([]string{text}, r.Notes...), " "))
}

// showText prints text in lines that fit.
func showText(screen *term.Screen, style term.Style, text string) {
	for _, line := range term.Wrap(text, screen.Width()) {
		fmt.Fprintln(screen, screen.Paint(style, line))
	}
}

// showRecommendation prints what GOPROXY should be, and how to make it so.
func showRecommendation(screen *term.Screen, r mirrors.Report, env *goenv.Env) {
	goproxy, reason := r.Recommend()
	fmt.Fprintln(screen)
	if goproxy == "" {
		showText(screen, term.Bad, reason)
		return
	}
	shown := source.RedactList(goproxy)
	fmt.Fprintf(screen, "Recommended:\n  %s\n", screen.Paint(term.Strong, "GOPROXY="+shown))
	showText(screen, term.Plain, reason)
	switch current, _ := env.Lookup("GOPROXY"); {
	case current.Value == goproxy:
		fmt.Fprintln(screen, "That is what you have.")
	case shown != goproxy:
		fmt.Fprintln(screen, "Where it says xxxxx, keep the credentials that your GOPROXY has.")
	case current.Layer == goenv.Environment && current.Value != "":
		fmt.Fprintln(screen, "GOPROXY is set in the environment: change it there.")
	default:
		fmt.Fprintf(screen, "To make it so:\n  go env -w \"GOPROXY=%s\"\n", goproxy)
	}
}
