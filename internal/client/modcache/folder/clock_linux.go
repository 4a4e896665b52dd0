package folder

import (
	"io/fs"
	"syscall"
	"time"
)

// mountedNoAtime is the flag of statfs(2) for file systems that do not note when a file
// is read.
const mountedNoAtime = 0x400

// clockOf is the best clock of the file system that a folder is on.
func clockOf(dir string) clock {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || int64(s.Flags)&mountedNoAtime != 0 {
		return byChange
	}
	return clock{"atime", func(info fs.FileInfo) time.Time {
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return info.ModTime()
		}
		return latest(info.ModTime(), time.Unix(stat.Atim.Unix()))
	}}
}

// noAccessTime is the flag of open(2) for reading without that being noted.
const noAccessTime = syscall.O_NOATIME
