package term

import (
	"strings"
)

// gap stands between two columns.
const gap = "  "

// A Cell is one field of a table.
type Cell struct {
	Text  string
	Style Style
	Right bool // numbers stand below each other at their ends
}

// Head is the first row of a table: the names of its columns.
func Head(names ...string) []Cell {
	row := make([]Cell, len(names))
	for i, name := range names {
		row[i] = Cell{Text: name, Style: Faint}
	}
	return row
}

// Row is a row of plain texts.
func Row(texts ...string) []Cell {
	row := make([]Cell, len(texts))
	for i, text := range texts {
		row[i] = Cell{Text: text}
	}
	return row
}

// leastWrapped is how narrow the last column may get by wrapping, in columns of the
// screen. A table that is wider still is left to the terminal.
const leastWrapped = 20

// Table prints rows in columns. The last column is wrapped where the terminal ends;
// where there is no terminal, nothing is.
func (s *Screen) Table(rows [][]Cell) {
	widths := columnWidths(rows)
	var b strings.Builder
	for _, row := range rows {
		s.printRow(&b, row, widths)
	}
	s.Write([]byte(b.String()))
}

func columnWidths(rows [][]Cell) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell.Text))
		}
	}
	return widths
}

func (s *Screen) printRow(b *strings.Builder, row []Cell, widths []int) {
	indent := 0
	for i, cell := range row[:max(len(row)-1, 0)] {
		padding := strings.Repeat(" ", widths[i]-Width(cell.Text))
		if cell.Right {
			b.WriteString(padding + s.Paint(cell.Style, cell.Text) + gap)
		} else {
			b.WriteString(s.Paint(cell.Style, cell.Text) + padding + gap)
		}
		indent += widths[i] + len(gap)
	}
	if len(row) > 0 {
		s.printLast(b, row[len(row)-1], widths[len(row)-1], indent)
	}
	b.WriteString("\n")
}

// printLast prints the last cell of a row, on several lines if need be.
func (s *Screen) printLast(b *strings.Builder, cell Cell, width, indent int) {
	if cell.Right {
		b.WriteString(strings.Repeat(" ", width-Width(cell.Text)))
	}
	lines := []string{cell.Text}
	if room := s.Width() - indent; s.terminal && room >= leastWrapped {
		lines = Wrap(cell.Text, room)
	}
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\n" + strings.Repeat(" ", indent))
		}
		b.WriteString(s.Paint(cell.Style, line))
	}
}
