//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package modcache

import (
	"errors"
	"os"
)

// tryLockFile refuses: how the go command locks here is not known.
func tryLockFile(*os.File) error { return errors.ErrUnsupported }
