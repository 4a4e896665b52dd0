package sums

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"github.com/goweir/weir/internal/client/doctor/visit"
)

// remote lets the client of the checksum database read over the network, within a
// context, and keep what it has read for this one time.
type remote struct {
	*Database
	ctx context.Context

	mu    sync.Mutex
	cache map[string][]byte
	path  string // of the last question that failed, or of the last
	last  visit.Answer
	alarm string
}

// ReadRemote implements sumdb.ClientOps.
func (r *remote) ReadRemote(path string) ([]byte, error) {
	var a visit.Answer
	if r.via != nil {
		a = r.via.Read(r.ctx, "sumdb/"+r.config.Name+path, visit.Text)
	} else {
		a = r.visitor.Get(r.ctx, visit.Request{URL: r.base.JoinPath(path), Max: visit.Text})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path == "" || r.last.OK() {
		r.path, r.last = path, a
	}
	switch {
	case a.Absent():
		return nil, fs.ErrNotExist
	case !a.OK():
		return nil, errors.New("it cannot be read")
	}
	return a.Body, nil
}

// ReadConfig implements sumdb.ClientOps.
func (r *remote) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(r.config.Key), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.cache["config "+file]), nil
}

// WriteConfig implements sumdb.ClientOps.
func (r *remote) WriteConfig(file string, _, next []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache["config "+file] = slices.Clone(next)
	return nil
}

// ReadCache implements sumdb.ClientOps.
func (r *remote) ReadCache(file string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if data, ok := r.cache[file]; ok {
		return slices.Clone(data), nil
	}
	return nil, fs.ErrNotExist
}

// WriteCache implements sumdb.ClientOps.
func (r *remote) WriteCache(file string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache[file] = slices.Clone(data)
}

// Log implements sumdb.ClientOps.
func (r *remote) Log(string) {}

// SecurityError implements sumdb.ClientOps.
func (r *remote) SecurityError(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarm = text
}
