package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAWatcherTellsOfAChangeOnceItIsThrough(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "weir.yaml"), filepath.Join(dir, "secret")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "listen: localhost:1\n")
	files := []string{file, link}
	w := newWatcher(files)
	want := func(what string, changed ...bool) {
		t.Helper()
		for i, c := range changed {
			if got := w.changed(files); got != c {
				t.Errorf("%s: look %d says %v", what, i+1, got)
			}
		}
	}
	want("nothing happened", false, false)
	write(file, "listen: localhost:12\n")
	want("a file was written", false, true, false)
	write(file, "listen: ")
	want("a file is being written", false)
	write(file, "listen: localhost:3\n")
	want("a file was written to its end", false, true, false)
	write(link, "x")
	want("a file appeared", false, true, false)
	write(link+".new", "y")
	past := time.Now().Add(-time.Hour)
	for _, name := range []string{link, link + ".new"} {
		if err := os.Chtimes(name, past, past); err != nil {
			t.Fatal(err)
		}
	}
	want("times changed", false, true)
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	want("a file was replaced by one of the same size and time", false, true, false)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	want("a file is gone", false, true, false)
	files = files[:1]
	want("another set of files", false, true, false)
}
