// Package term prints for people: colours where a terminal shows them, tables whose
// columns stand below each other, and one line that tells what is going on.
//
// Where the output is no terminal, NO_COLOR is set or TERM is dumb, there is plain text
// and nothing moves.
package term

import (
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// usualWidth is the width of a terminal that does not say how wide it is.
const usualWidth = 80

// A Screen is where output goes. It is safe for concurrent use.
type Screen struct {
	terminal bool
	colours  bool
	columns  func() int

	mu   sync.Mutex
	out  io.Writer
	live bool // a line of progress is shown
}

// New returns the Screen of an output, given the environment.
func New(out io.Writer, getenv func(string) string) *Screen {
	s := &Screen{out: out, columns: func() int { return usualWidth }}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	s.terminal = getenv("TERM") != "dumb"
	s.colours = s.terminal && getenv("NO_COLOR") == ""
	s.columns = func() int {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
		return usualWidth
	}
	return s
}

// IsTerminal reports whether a person is looking on.
func (s *Screen) IsTerminal() bool { return s.terminal }

// Width is how many columns there are.
func (s *Screen) Width() int { return s.columns() }

// Write prints. A line of progress gives way to it.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return s.out.Write(p)
}

// Progress shows one line that the next one, or any other print, replaces. Where no
// person is looking on it shows nothing.
func (s *Screen) Progress(text string) {
	if !s.terminal {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.live = true
	// One column less, since some terminals break the line after the last one.
	io.WriteString(s.out, s.Paint(Faint, Cut(text, s.Width()-1)))
}

// Done takes the line of progress away.
func (s *Screen) Done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

func (s *Screen) clear() {
	if s.live {
		io.WriteString(s.out, "\r\x1b[K")
		s.live = false
	}
}

// A Style is what a text is meant to say by its looks.
type Style int

// The styles.
const (
	Plain  Style = iota
	Good         // green
	Warn         // yellow
	Bad          // red
	Faint        // of less interest
	Strong       // bold
)

// Paint is a text in a style, or the text itself where there are no colours. The text
// may have several lines.
func (s *Screen) Paint(style Style, text string) string {
	if !s.colours || style == Plain || text == "" {
		return text
	}
	code := [...]string{Good: "32", Warn: "33", Bad: "31", Faint: "2", Strong: "1"}[style]
	return "\x1b[" + code + "m" + strings.ReplaceAll(text, "\n", "\x1b[0m\n\x1b["+code+"m") + "\x1b[0m"
}
