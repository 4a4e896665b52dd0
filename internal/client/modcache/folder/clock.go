package folder

import (
	"io/fs"
	"time"
)

// A clock tells when a file was last used.
type clock struct {
	name string
	used func(fs.FileInfo) time.Time
}

// byChange is the clock of file systems that do not note when a file is read: it tells
// when the file was written, which for files of a module cache is the download.
var byChange = clock{"mtime", fs.FileInfo.ModTime}

// latest is the later of two times.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
