package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/client/explain"
	"github.com/goweir/weir/internal/client/term"
)

func explainCommand() *cobra.Command {
	var language string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain [FILE|-]",
		Short: "Explain what the go command has printed, and what to do about it",
		Long: "Explain what the go command has printed: what has failed, why, and what to do, for the\n" +
			"modules and servers that it names. It takes any output, such as the log of a CI job:\n\n" +
			"  go build ./... 2>&1 | weir explain\n" +
			"  weir explain build.log\n\n" +
			"It ends with 1 when there was something that it does not know, or nothing to explain.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("%s wants one file, or - for standard input\nsee: %s --help", cmd.CommandPath(), cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			lang, err := explainLang(language, os.Getenv)
			if err != nil {
				return err
			}
			text, err := explainInput(cmd, args)
			if err != nil {
				return err
			}
			findings := explain.Text(text)
			if asJSON {
				err = explainJSON(cmd.OutOrStdout(), findings, lang)
			} else {
				explainTo(term.New(cmd.OutOrStdout(), os.Getenv), findings, lang)
			}
			if err != nil {
				return err
			}
			return explainResult(text, findings)
		},
	}
	cmd.Flags().StringVar(&language, "lang", "", "language: en or zh (default: that of LC_ALL, LC_MESSAGES or LANG)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// explainLang is the language to explain in.
func explainLang(asked string, getenv func(string) string) (explain.Lang, error) {
	if asked == "" {
		lang, _ := explain.LangOf(cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")))
		return lang, nil
	}
	lang, ok := explain.LangOf(asked)
	if !ok {
		return lang, usageError{fmt.Errorf("--lang does not know %q; it knows en and zh", asked)}
	}
	return lang, nil
}

// maxExplained bounds how much is read, in bytes.
const maxExplained = 16 << 20

// explainInput reads what is to be explained.
func explainInput(cmd *cobra.Command, args []string) (string, error) {
	in := cmd.InOrStdin()
	switch {
	case len(args) == 1 && args[0] != "-":
		file, err := os.Open(args[0])
		if err != nil {
			return "", fmt.Errorf("%w; name a file with the output of the go command, or pipe it in", err)
		}
		defer file.Close()
		in = file
	case len(args) == 0 && isTerminal(in):
		return "", usageError{errors.New("there is nothing to explain: pipe output in, as in \"go build ./... 2>&1 | weir explain\", or name a file; to paste, run \"weir explain -\" and end with Ctrl-D on a line of its own")}
	}
	text, cut, err := readInterruptibly(cmd.Context(), in, maxExplained)
	if cut {
		fmt.Fprintf(cmd.ErrOrStderr(), "weir: only the first %d MiB are explained\n", maxExplained>>20)
	}
	return text, err
}

// lastWords is how long input is waited for after an interrupt: in a pipeline it goes to
// the go command as well, and what that has said until then is worth explaining.
const lastWords = 2 * time.Second

// readInterruptibly reads everything, keeps as much as the limit allows, and reports
// whether that was not all. The rest is read, too, since a pipe that is closed early would
// end the command that writes to it. Once ctx has ended it returns what there is. A read
// that never returns ends with the process.
func readInterruptibly(ctx context.Context, r io.Reader, limit int) (text string, cut bool, err error) {
	kept := &keptText{limit: limit}
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(kept, r)
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(lastWords):
		}
	}
	text, cut = kept.get()
	return text, cut, err
}

// A keptText keeps the beginning of what is written to it. It is safe for concurrent use.
type keptText struct {
	limit int

	mu  sync.Mutex
	buf bytes.Buffer
	cut bool
}

func (k *keptText) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	room := k.limit - k.buf.Len()
	k.cut = k.cut || len(p) > room
	k.buf.Write(p[:min(len(p), room)])
	return len(p), nil
}

func (k *keptText) get() (text string, cut bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.buf.String(), k.cut
}

// explainResult is an error if not everything was explained.
func explainResult(text string, findings []explain.Finding) error {
	unknown := 0
	for _, f := range findings {
		if !f.Known() {
			unknown++
		}
	}
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("there was nothing to read; the go command writes its errors to standard error, so write 2>&1 before the pipe")
	case len(findings) == 0:
		return errors.New("nothing in it looks like a message of the go command; if something hangs or fails silently, try it with -x, or run: weir doctor")
	case unknown > 0:
		return fmt.Errorf("%d of %d messages are not known", unknown, len(findings))
	}
	return nil
}

// explainWords are the words between the texts of an explanation.
var explainWords = map[explain.Lang]struct {
	text, where, also, server, why, do, note, line, times, follows, unknown string
}{
	explain.English: {"text", "where", "also", "server", "why", "do", "note", "line %d", ", %d times", "This follows from %d. ", "Not known"},
	explain.Chinese: {"原文", "位置", "还有", "回答", "原因", "处理", "说明", "第 %d 行", "，共 %d 次", "这是第 %d 项的后果。", "未知的消息"},
}

// explainTo prints findings for people.
func explainTo(s *term.Screen, findings []explain.Finding, lang explain.Lang) {
	p := explainPrinter{s, lang}
	known := knownFindings(findings)
	for i, f := range known {
		p.finding(i+1, f, known)
		if i+1 < len(findings) {
			fmt.Fprintln(s)
		}
	}
	p.unknown(findings[len(known):])
}

// knownFindings are the first ones: those not known come last.
func knownFindings(findings []explain.Finding) []explain.Finding {
	for i, f := range findings {
		if !f.Known() {
			return findings[:i]
		}
	}
	return findings
}

// An explainPrinter prints findings in a language.
type explainPrinter struct {
	screen *term.Screen
	lang   explain.Lang
}

// labelWidth is where texts begin, in columns.
const labelWidth = 8

func (p explainPrinter) finding(number int, f explain.Finding, all []explain.Finding) {
	w, e := explainWords[p.lang], f.In(p.lang)
	style := term.Bad
	if f.Follows != "" || f.Message.Rank == explain.Warning {
		style = term.Warn
	}
	title := e.Title
	if len(all) > 1 {
		title = fmt.Sprintf("%d. %s", number, title)
	}
	fmt.Fprintln(p.screen, p.screen.Paint(style, title))
	p.text(w.text, p.printed(f), term.Faint)
	p.text(w.where, e.Where, term.Plain)
	p.text(w.also, strings.Join(f.Others, ", "), term.Plain)
	p.text(w.server, f.Server, term.Plain)
	for i, cause := range all {
		if f.Follows != "" && cause.Message.ID == f.Follows {
			e.Cause = fmt.Sprintf(w.follows, i+1) + e.Cause
			break
		}
	}
	p.text(w.why, e.Cause, term.Plain)
	p.text(w.do, e.Fix, term.Plain)
	for _, command := range e.Commands {
		// A command stays in one line, so that it can be pasted.
		fmt.Fprintf(p.screen, "%s%s\n", strings.Repeat(" ", labelWidth), p.screen.Paint(term.Strong, command))
	}
	p.text(w.note, e.Note, term.Faint)
}

// printed is what the go command has printed, where, and how often.
func (p explainPrinter) printed(f explain.Finding) string {
	w := explainWords[p.lang]
	place := fmt.Sprintf(w.line, f.Line)
	if f.Count > 1 {
		place += fmt.Sprintf(w.times, f.Count)
	}
	return f.Text + " (" + place + ")"
}

// text prints one text with its label.
func (p explainPrinter) text(label, text string, style term.Style) {
	if text == "" {
		return
	}
	lines := []string{text}
	if p.screen.IsTerminal() {
		lines = term.Wrap(text, max(p.screen.Width()-labelWidth, 20))
	}
	for i, line := range lines {
		if i > 0 {
			label = ""
		}
		padding := strings.Repeat(" ", max(labelWidth-term.Width(label), 1))
		fmt.Fprintf(p.screen, "%s%s%s\n", p.screen.Paint(term.Faint, label), padding, p.screen.Paint(style, line))
	}
}

// maxShownUnknown is how many messages are shown that are not known.
const maxShownUnknown = 10

func (p explainPrinter) unknown(findings []explain.Finding) {
	if len(findings) == 0 {
		return
	}
	w := explainWords[p.lang]
	fmt.Fprintln(p.screen, p.screen.Paint(term.Warn, w.unknown))
	for _, f := range findings[:min(len(findings), maxShownUnknown)] {
		p.text(w.text, p.printed(f), term.Plain)
	}
	if more := len(findings) - maxShownUnknown; more > 0 {
		p.text("", fmt.Sprintf("… + %d", more), term.Faint)
	}
	p.text(w.do, findings[0].In(p.lang).Fix, term.Plain)
}

// explainJSON prints findings for machines.
func explainJSON(out io.Writer, findings []explain.Finding, lang explain.Lang) error {
	type finding struct {
		ID      string            `json:"id,omitempty"`
		Known   bool              `json:"known"`
		Hop     string            `json:"hop,omitempty"`
		Line    int               `json:"line"`
		Count   int               `json:"count"`
		Text    string            `json:"text"`
		Follows string            `json:"follows,omitempty"`
		Values  map[string]string `json:"values,omitempty"`
		Others  []string          `json:"others,omitempty"`
		Server  string            `json:"server,omitempty"`
		explain.Explanation
	}
	all := struct {
		Findings []finding `json:"findings"`
	}{Findings: []finding{}}
	for _, f := range findings {
		j := finding{
			Known: f.Known(), Hop: f.Hop.String(), Line: f.Line, Count: f.Count, Text: f.Text, Follows: f.Follows,
			Values: f.Values, Others: f.Others, Server: f.Server, Explanation: f.In(lang),
		}
		if f.Known() {
			j.ID = f.Message.ID
		}
		all.Findings = append(all.Findings, j)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}
