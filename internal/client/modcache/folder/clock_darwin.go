package folder

import (
	"io/fs"
	"syscall"
	"time"
)

// mountedNoAtime is the flag of statfs(2) for file systems that do not note when a file
// is read.
const mountedNoAtime = 0x10000000

// clockOf is the best clock of the file system that a folder is on.
func clockOf(dir string) clock {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Flags&mountedNoAtime != 0 {
		return byChange
	}
	return clock{"atime", func(info fs.FileInfo) time.Time {
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return info.ModTime()
		}
		return latest(info.ModTime(), time.Unix(stat.Atimespec.Unix()))
	}}
}

// noAccessTime is no flag: reading a file is noted.
const noAccessTime = 0
