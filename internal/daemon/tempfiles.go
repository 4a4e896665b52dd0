package daemon

import (
	"errors"
	"os"
)

// tempFiles are the temporary files of the system, for when the store's volume
// is full or failing: what passes through is checked there and not kept.
type tempFiles struct{}

// Spool makes a file.
func (tempFiles) Spool() (*os.File, error) { return os.CreateTemp("", "weir-*") }

// Unspool removes it.
func (tempFiles) Unspool(f *os.File) error {
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
