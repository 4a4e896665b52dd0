package disk

import (
	"errors"
	"io/fs"
	"os"
)

// openInRoot opens the entry of a key for reading, on any system. What is no
// regular file is fs.ErrNotExist.
func openInRoot(root *os.Root, key string) (*os.File, stat, error) {
	f, err := root.OpenFile(key, readFlags, 0)
	if err != nil {
		return nil, stat{}, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, stat{}, errors.Join(err, f.Close())
	}
	return f, statOf(fi), nil
}
