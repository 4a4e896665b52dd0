package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// extend is edit for changes that add something: where the folder of the file is
// missing, as before the first start of a server, it is made, for its owner only.
func extend(path string, change func(*document) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the folder for %s cannot be made: %w; run this as the user of the server, with its --config or --data", path, err)
	}
	return edit(path, change)
}

// edit changes the file as a whole or not at all. The new file, next to the old
// one, is made before the old one is read and keeps others from doing the same:
// of two changes at a time one fails, and none is lost.
func edit(path string, change func(*document) error) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is being changed by another command, or one has broken off: try again; if no other runs, remove %s: %w", path, next, fs.ErrExist)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there are no tokens and no users in %s yet; is it what --config or --data of the server says? %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	if err := rewrite(f, path, change); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// rewrite writes the changed contents of the file to next and puts that in its place.
func rewrite(next *os.File, path string, change func(*document) error) error {
	data, err := changed(path, change)
	if err == nil {
		_, err = next.Write(data)
	}
	if err == nil {
		err = next.Sync()
	}
	if err := errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}

// syncFolder forces a rename to the disk, on systems that can.
func syncFolder(dir string) {
	if f, err := os.Open(dir); err == nil {
		f.Sync()
		f.Close()
	}
}

// changed returns the contents of the file after a change.
func changed(path string, change func(*document) error) ([]byte, error) {
	d, err := readDocument(path)
	if err != nil {
		return nil, err
	}
	if err := change(d); err != nil {
		return nil, err
	}
	if _, err := d.compile(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err = enc.Encode(d)
	return b.Bytes(), err
}
