package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// How much room a folder should have, in bytes: that of a large module, and how much
// is written to try it.
const (
	wantedRoom = 100 << 20
	trialSize  = 64 << 10
)

// cacheChecks are those of the folders that the go command writes to.
func (m *machine) cacheChecks() []*Check {
	var checks []*Check
	for _, c := range []struct{ id, name, folder string }{
		{"cache-modules", "GOMODCACHE", m.env.Value("GOMODCACHE")},
		{"cache-build", "GOCACHE", m.env.Value("GOCACHE")},
		{"cache-temporary", "GOTMPDIR", cmp.Or(m.env.Value("GOTMPDIR"), os.TempDir())},
	} {
		if c.folder != "" {
			checks = append(checks, &Check{ID: c.id, Subject: c.folder, Run: still(func() Result { return checkFolder(c.name, c.folder) })})
		}
	}
	return checks
}

// checkFolder looks whether something can be written in a folder, which need not exist.
func checkFolder(name, folder string) Result {
	if !filepath.IsAbs(folder) {
		return bad("cache-malformed", fmt.Sprintf("the go command refuses %s=%s: it is no absolute path", name, folder), "take it away: the default is good", goEnv("-u", name))
	}
	there, err := nearest(folder)
	if err == nil && there != folder && name == "GOTMPDIR" {
		return bad("folder-missing", fmt.Sprintf("GOTMPDIR %s does not exist, and the go command does not make it", folder), "make it", makeFolder(folder))
	}
	if err == nil {
		err = try(there)
	}
	kind, what, hint := "", "", ""
	switch {
	case err == nil:
		return roomy(name, folder, there)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		kind, what, hint = "disk-full", "has no room left", "make room; what can be fetched again is removed by go clean"
	case errors.Is(err, syscall.EROFS):
		kind, what, hint = "read-only", "is on a file system that is read-only", "mount it for writing, or use a folder elsewhere"
	case errors.Is(err, fs.ErrPermission):
		kind, what, hint = "not-writable", "must not be written by this user", "give it to the user who runs go, or use a folder elsewhere"
	case errors.Is(err, syscall.ENOTDIR):
		kind, what, hint = "no-folder", "is, or is below, a file", "use a folder elsewhere"
	default:
		kind, what, hint = "not-writable", "cannot be written", "use a folder elsewhere"
	}
	r := bad(kind, fmt.Sprintf("%s %s %s", name, folder, what), hint)
	switch {
	case kind == "disk-full" && name == "GOMODCACHE":
		r.Fixes = []Fix{byHand("go clean -modcache")}
	case kind == "disk-full" && name == "GOCACHE":
		r.Fixes = []Fix{byHand("go clean -cache")}
	case kind != "disk-full":
		r.Fixes = []Fix{byHand("go env -w " + name + "=/another/folder")}
	}
	return r
}

// nearest is a folder, or the nearest above it that exists.
func nearest(folder string) (string, error) {
	for {
		info, err := os.Stat(folder)
		switch {
		case err == nil && info.IsDir():
			return folder, nil
		case err == nil:
			return "", syscall.ENOTDIR
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case filepath.Dir(folder) == folder:
			return "", err
		}
		folder = filepath.Dir(folder)
	}
}

// try writes a file in a folder and takes it away again.
func try(folder string) error {
	f, err := os.CreateTemp(folder, ".weir-doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, trialSize))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// roomy looks at the room of a folder that can be written.
func roomy(name, folder, there string) Result {
	room, known := free(there)
	switch {
	case !known:
		return well(folder)
	case room < wantedRoom:
		return warn("disk-nearly-full", fmt.Sprintf("%s %s has only %s left", name, folder, size(room)), "make room")
	}
	state := "can be written"
	if there != folder {
		state = "does not exist yet and can be made"
	}
	return well(folder, fmt.Sprintf("it %s, %s are free", state, size(room)))
}

// size is a number of bytes for people.
func size(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 1000 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + units[unit:unit+1] + "B"
}
