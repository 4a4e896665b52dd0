package modcache

import (
	"fmt"
	"io"
	"os"
)

// open opens a file of the cache for reading, if possible so that its time of last use
// stays: who looks after the cache does not use it.
func (c *Cache) open(name string) (*os.File, error) {
	f, err := c.root.OpenFile(name, os.O_RDONLY|noAccessTime, 0)
	if err != nil && noAccessTime != 0 {
		return c.root.Open(name) // only the owner of a file may read it quietly
	}
	return f, err
}

// readQuietly reads a small file.
func (c *Cache) readQuietly(name string) ([]byte, error) {
	f, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(data) > maxSmall {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxSmall)
	}
	return data, err
}

// maxSmall bounds what is read as a whole, in bytes: the largest go.mod there may be.
const maxSmall = 16 << 20
