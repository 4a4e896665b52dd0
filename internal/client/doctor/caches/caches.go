// Package caches looks at the folders that the go command writes to: the module cache, the
// build cache, and the one for temporary files.
//
// It tells whether a file can be written there, by writing one and taking it away again, and
// how much room is left where that can be known. Folders that do not exist are not made; what
// lies in the caches is not looked at.
package caches

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/term"
)

// How much room a folder should have, in bytes: that of a large module, and how much
// is written to try it.
const (
	wantedRoom = 100 << 20
	trialSize  = 64 << 10
)

// Checks are those of the folders that the go command writes to.
func Checks(s *settings.Settings) []*check.Check {
	var checks []*check.Check
	for _, c := range []struct{ id, name, folder string }{
		{"cache-modules", "GOMODCACHE", s.Value("GOMODCACHE")},
		{"cache-build", "GOCACHE", s.Value("GOCACHE")},
		{"cache-temporary", "GOTMPDIR", cmp.Or(s.Value("GOTMPDIR"), os.TempDir())},
	} {
		if c.folder != "" {
			checks = append(checks, &check.Check{ID: c.id, Subject: c.folder, Run: check.Still(func() check.Result { return checkFolder(s, c.name, c.folder) })})
		}
	}
	return checks
}

// checkFolder looks whether something can be written in a folder, which need not exist.
func checkFolder(s *settings.Settings, name, folder string) check.Result {
	if !filepath.IsAbs(folder) {
		return check.Trouble("cache-malformed", fmt.Sprintf("the go command refuses %s=%s: it is no absolute path", name, folder), "take it away: the default is good", s.Unset(name))
	}
	there, err := nearest(folder)
	if err == nil && there != folder && name == "GOTMPDIR" {
		return check.Trouble("folder-missing", fmt.Sprintf("GOTMPDIR %s does not exist, and the go command does not make it", folder), "make it", makeFolder(folder))
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
	r := check.Trouble(kind, fmt.Sprintf("%s %s %s", name, folder, what), hint)
	switch {
	case kind == "disk-full" && name == "GOMODCACHE":
		r.Fixes = []check.Fix{check.ByHand("go clean -modcache")}
	case kind == "disk-full" && name == "GOCACHE":
		r.Fixes = []check.Fix{check.ByHand("go clean -cache")}
	case kind != "disk-full":
		r.Fixes = []check.Fix{check.ByHand("go env -w " + name + "=/another/folder")}
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
func roomy(name, folder, there string) check.Result {
	room, known := free(there)
	switch {
	case !known:
		return check.Well(folder)
	case room < wantedRoom:
		return check.Warning("disk-nearly-full", fmt.Sprintf("%s %s has only %s left", name, folder, term.Size(room)), "make room")
	}
	state := "can be written"
	if there != folder {
		state = "does not exist yet and can be made"
	}
	return check.Well(folder, fmt.Sprintf("it %s, %s are free", state, term.Size(room)))
}

// makeFolder is mkdir -p.
func makeFolder(name string) check.Fix {
	return check.Safe("mkdir -p "+check.Quote(name), func(context.Context) error { return os.MkdirAll(name, 0o777) })
}
