package sumdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/singleflight"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/store"
)

// A record is what the database says of one version, proven.
type record struct {
	raw   []byte   // as the database answers a lookup
	lines []string // "module version hash" and "module version/go.mod hash"
}

// hash returns the hash for a line's version, such as "v1.2.3/go.mod".
func (r record) hash(mod, version string) (string, bool) {
	prefix := mod + " " + version + " "
	for _, line := range r.lines {
		if h, ok := strings.CutPrefix(line, prefix); ok {
			return h, true
		}
	}
	return "", false
}

// lookup returns the proven record of a version. It returns early when ctx ends;
// the work goes on for others who wait for it.
func (d *Database) lookup(ctx context.Context, mod, version string) (record, error) {
	if r, ok := d.records.GetIfPresent(mod + "@" + version); ok {
		return r, nil
	}
	select {
	case a := <-d.begin(mod, version):
		if a.Err != nil {
			return record{}, a.Err
		}
		return a.Val.(record), nil
	case <-ctx.Done():
		return record{}, context.Cause(ctx)
	}
}

// begin begins a lookup, unless an equal one is under way or done. Nobody has to
// wait for the answer.
func (d *Database) begin(mod, version string) <-chan singleflight.Result {
	key := mod + "@" + version
	return d.lookups.DoChan(key, func() (any, error) {
		if r, ok := d.records.GetIfPresent(key); ok {
			return r, nil
		}
		if err := d.enter(); err != nil {
			return nil, err
		}
		defer d.tasks.Done()
		return d.prove(mod, version)
	})
}

// enter counts a task that Close waits for.
func (d *Database) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return &artifact.Error{Class: artifact.ErrUnavailable, Reason: "the server is shutting down"}
	}
	d.tasks.Add(1)
	return nil
}

// prove gets the record of a version, from the store or the remotes, and proves
// it. A remote whose answer cannot be proven is no reason to give up while there
// are others.
func (d *Database) prove(mod, version string) (r record, err error) {
	ctx, cancel := context.WithTimeout(d.ctx, lookupTimeout)
	defer cancel()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return record{}, d.unreachable(ctx.Err())
	}
	for range max(1, len(d.remotes)) {
		r, err = d.session(ctx, mod, version).run()
		if artifact.Class(err) != artifact.ErrIntegrity {
			break
		}
		d.distrust()
	}
	if err != nil {
		return record{}, err
	}
	d.records.Set(mod+"@"+version, r)
	d.nudge()
	return r, nil
}

// session is one lookup by a client of golang.org/x/mod/sumdb. Each has its own:
// a client keeps all it ever read in memory, errors too, and hides their classes.
type session struct {
	*Database
	ctx          context.Context
	mod, version string

	mu      sync.Mutex
	raw     []byte // the record
	fetched bool   // it came from a remote
	lie     string // what the client calls a security error
	err     error  // the first of a remote
}

func (d *Database) session(ctx context.Context, mod, version string) *session {
	return &session{Database: d, ctx: ctx, mod: mod, version: version}
}

func (s *session) run() (record, error) {
	_, err := sumdb.NewClient(s).Lookup(s.mod, s.version)
	if err != nil {
		return record{}, s.explain(err)
	}
	r, err := s.read()
	if err != nil {
		return record{}, s.forged(err)
	}
	if s.fetched {
		s.keep(s.ctx, artifact.Name{Kind: artifact.SumLookup, DB: s.config.Name, Module: s.mod, Version: s.version}.Key(), s.raw)
		s.complete(s.ctx, s.raw)
	}
	return r, nil
}

// read takes the lines out of a proven record. They must be of the version that
// was asked for: the log proves that a record is in it, not that it is this one.
func (s *session) read() (record, error) {
	_, text, _, err := tlog.ParseRecord(s.raw)
	if err != nil {
		return record{}, err
	}
	r := record{raw: s.raw}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		if !strings.HasPrefix(line, s.mod+" "+s.version+" ") && !strings.HasPrefix(line, s.mod+" "+s.version+"/go.mod ") {
			return record{}, fmt.Errorf("the record has a line of something else: %s", artifact.Clean(line, 200))
		}
		r.lines = append(r.lines, line)
	}
	return r, nil
}

// explain gives the error of a client the class it has lost.
func (s *session) explain(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lie != "":
		s.alarm(Fork, s.mod, s.version, s.lie)
		return s.refusal("shows two histories that contradict each other", errors.New(s.lie))
	case s.err != nil:
		return s.err
	case s.ctx.Err() != nil:
		return s.unreachable(s.ctx.Err())
	}
	return s.forged(err)
}

func (s *session) forged(err error) error {
	s.alarm(Forged, s.mod, s.version, artifact.Clean(err.Error(), 500))
	return s.refusal("was answered for with something that it has not signed", err)
}

func (d *Database) refusal(what string, err error) error {
	return &artifact.Error{
		Class: artifact.ErrIntegrity, Err: err,
		Reason: fmt.Sprintf("checksum database %s %s", d.config.Name, what),
		Hint:   "somebody on the way to the database may be lying; tell whoever runs this server, whose log has the evidence",
	}
}

// ReadRemote implements sumdb.ClientOps.
func (s *session) ReadRemote(path string) ([]byte, error) {
	n, err := artifact.Parse("sumdb/" + s.config.Name + path)
	if err != nil {
		return nil, err
	}
	data, err := s.ask(s.ctx, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.err == nil && (n.Kind == artifact.SumLookup || artifact.Class(err) != artifact.ErrNotFound):
		s.err = err
	case err == nil && n.Kind == artifact.SumLookup:
		s.raw, s.fetched = data, true
	}
	return data, err
}

// ReadConfig implements sumdb.ClientOps.
func (s *session) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(s.config.Key), nil
	}
	return s.newest(), nil
}

// WriteConfig implements sumdb.ClientOps: the one thing written is the head.
func (s *session) WriteConfig(_ string, old, next []byte) error {
	if !s.advance(s.ctx, old, next) {
		return sumdb.ErrWriteConflict
	}
	return nil
}

// ReadCache implements sumdb.ClientOps. The files of a client's cache have the
// paths of the protocol.
func (s *session) ReadCache(file string) ([]byte, error) {
	data, err := s.stored(s.ctx, "sumdb/"+file)
	if err == nil && strings.HasPrefix(file, s.config.Name+"/lookup/") {
		s.raw = data
	}
	return data, err
}

// WriteCache implements sumdb.ClientOps. Records are kept when they have proven
// to be the right ones too.
func (s *session) WriteCache(file string, data []byte) {
	if strings.HasPrefix(file, s.config.Name+"/tile/") {
		s.keep(s.ctx, "sumdb/"+file, data)
	}
}

// Log implements sumdb.ClientOps.
func (s *session) Log(string) {}

// SecurityError implements sumdb.ClientOps.
func (s *session) SecurityError(msg string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lie = msg
}

// stored reads an entry of the store.
func (d *Database) stored(ctx context.Context, key string) ([]byte, error) {
	b, err := d.o.Store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return b.ReadAll(artifact.SumTile.MaxSize())
}

// keep stores what is proven. What cannot be stored will be fetched again.
func (d *Database) keep(ctx context.Context, key string, data []byte) {
	d.o.Store.Put(ctx, key, bytes.NewReader(data), store.PutOptions{IfAbsent: true})
}
