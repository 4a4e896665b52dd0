package folder

import (
	"errors"
	"io/fs"
	"path"
)

// RemoveTree removes a folder with all that is in it, and the folders above it that
// are empty then.
func (d *Folder) RemoveTree(name string) error {
	if err := d.makeWritable(name); err != nil {
		return err
	}
	if err := d.root.RemoveAll(name); err != nil {
		return err
	}
	for parent := path.Dir(name); parent != "." && d.root.Remove(parent) == nil; {
		parent = path.Dir(parent)
	}
	return nil
}

// makeWritable lets the folders of a tree be emptied: the go command makes them
// read-only. What symbolic links lead to stays as it is.
func (d *Folder) makeWritable(dir string) error {
	info, err := d.root.Lstat(dir)
	if err != nil || !info.IsDir() {
		return ignoreAbsent(err)
	}
	return fs.WalkDir(d.root.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return ignoreAbsent(err)
		}
		return ignoreAbsent(d.root.Chmod(name, 0o777))
	})
}

// Remove removes files or folders, those that are there.
func (d *Folder) Remove(names ...string) error {
	for _, name := range names {
		if err := d.makeWritable(name); err != nil {
			return err
		}
		if err := ignoreAbsent(d.root.RemoveAll(name)); err != nil {
			return err
		}
	}
	return nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
