package envswitch

import (
	"errors"
	"io/fs"
	"os"
)

// A backup is what a file held, so that it can be had again.
type backup struct {
	name string
	text []byte
	none bool // there was no file
}

func snapshot(name string) (backup, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return backup{name: name, none: true}, nil
	}
	return backup{name: name, text: text}, err
}

// restore writes into the file that is there, as the go command does, so that links and
// permissions stay.
func (c backup) restore() error {
	if c.none {
		if err := os.Remove(c.name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.WriteFile(c.name, c.text, 0o600)
}
