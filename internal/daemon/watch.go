package daemon

import (
	"os"
	"time"
)

// watchEvery is how often the files of the configuration are looked at.
const watchEvery = 2 * time.Second

// A watcher finds out when files have changed. It looks at them from time to time,
// which works on every file system and however a file is replaced.
type watcher struct {
	seen    map[string]os.FileInfo // nil for one that is not there
	writing bool                   // they changed at the last look and may be changing still
}

func newWatcher(files []string) *watcher { return &watcher{seen: look(files)} }

// changed reports whether files have changed, once they do not any more.
func (w *watcher) changed(files []string) bool {
	now := look(files)
	if !same(w.seen, now) {
		w.seen, w.writing = now, true
		return false
	}
	ready := w.writing
	w.writing = false
	return ready
}

func look(files []string) map[string]os.FileInfo {
	found := map[string]os.FileInfo{}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			info = nil
		}
		found[name] = info
	}
	return found
}

func same(a, b map[string]os.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for name, x := range a {
		y, ok := b[name]
		switch {
		case !ok || (x == nil) != (y == nil):
			return false
		case x != nil && (x.Size() != y.Size() || !x.ModTime().Equal(y.ModTime()) || !os.SameFile(x, y)):
			return false
		}
	}
	return true
}
