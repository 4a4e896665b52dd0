package term

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// screen is a terminal of so many columns, or none.
func screen(columns int) (*Screen, *bytes.Buffer) {
	var out bytes.Buffer
	s := New(&out, func(string) string { return "" })
	if columns > 0 {
		s.terminal, s.colours, s.columns = true, true, func() int { return columns }
	}
	return s, &out
}

func TestWidthCountsColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "中文": 4, "ＡＢ": 4, "a\x1bb\x7f": 2, "…–✓": 3} {
		if got := Width(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

func TestCutShowsThatSomethingIsMissing(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"中文字", 5, "中文…"}, {"中文字", 4, "中…"}} {
		if got := Cut(c.text, c.columns); got != c.want {
			t.Errorf("%q cut to %d columns is %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}

func TestWrapBreaksAtBlanksAndBetweenWideCharacters(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    []string
	}{
		{"one two three", 8, []string{"one two", "three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 80, []string{"one two three"}},
		{"abcdefgh ij", 4, []string{"abcd", "efgh", "ij"}},
		{"first\nsecond line", 8, []string{"first", "second", "line"}},
		{"代理没有响应。", 7, []string{"代理没", "有响", "应。"}},
		{"设置 GOPROXY 变量", 10, []string{"设置", "GOPROXY 变", "量"}},
		{"", 10, []string{""}},
	} {
		if got := Wrap(c.text, c.columns); !slices.Equal(got, c.want) {
			t.Errorf("%q in %d columns is %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("one two three", 8)
	f.Add("代理，没有 响应。\n\x1b[31m", 3)
	f.Fuzz(func(t *testing.T, text string, columns int) {
		if len(text) > 1000 {
			return
		}
		lines := Wrap(text, columns)
		for _, line := range lines {
			if w := Width(line); w > max(columns, 2) {
				t.Errorf("%q has %d columns, more than %d", line, w, columns)
			}
		}
		squeeze := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
		if got, want := squeeze(strings.Join(lines, "")), squeeze(text); got != want {
			t.Errorf("%q became %q", want, got)
		}
	})
}

func TestColumnsStandBelowEachOther(t *testing.T) {
	s, out := screen(0)
	s.Table([][]Cell{Head("NAME", "MS", "WHAT"), {{Text: "中文"}, {Text: "7", Right: true}, {Text: "a long text that is not wrapped where there is no terminal, however long it may be"}}, Row("abcdef", "123", "")})
	want := "NAME    MS   WHAT\n" +
		"中文      7  a long text that is not wrapped where there is no terminal, however long it may be\n" +
		"abcdef  123  \n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestTheLastColumnIsWrappedOnATerminal(t *testing.T) {
	s, out := screen(30)
	s.Table([][]Cell{{{Text: "abc", Style: Bad}, {Text: "one two three four five six seven", Style: Good}}})
	want := "\x1b[31mabc\x1b[0m  \x1b[32mone two three four five\x1b[0m\n     \x1b[32msix seven\x1b[0m\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestProgressGivesWay(t *testing.T) {
	s, out := screen(10)
	s.Progress("working on it")
	s.Progress("more")
	s.Write([]byte("done\n"))
	s.Done()
	want := "\x1b[2mworking …\x1b[0m\r\x1b[K\x1b[2mmore\x1b[0m\r\x1b[Kdone\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestWithoutATerminalThereIsPlainText(t *testing.T) {
	s, out := screen(0)
	s.Progress("working")
	s.Done()
	if text := s.Paint(Bad, "no"); text != "no" || out.Len() > 0 {
		t.Errorf("got %q and %q", text, out)
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if s := New(file, os.Getenv); s.IsTerminal() || s.Width() != usualWidth {
		t.Error("a file is taken for a terminal")
	}
}
