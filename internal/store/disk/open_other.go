//go:build !linux

package disk

import "os"

// opener opens entries for reading.
type opener struct{ root *os.Root }

func newOpener(root *os.Root) (opener, error) { return opener{root}, nil }

func (o *opener) close() error { return nil }

func (o *opener) open(key string) (*os.File, stat, error) { return openInRoot(o.root, key) }
