// Package audit keeps a record of who did what and why he was let.
//
// A [Log] is a file to which one line of JSON is added for each [Entry]. It
// promises that
//
//   - every line is whole and parses, whatever strangers put into the names of
//     things: strings are cut and control characters escaped. A crash leaves at
//     most one torn line, at the end of the file, which is ended before the next
//     one is written;
//   - nobody waits long for it: entries go through a queue of 1,024, at most 32
//     MiB, and while that is full the caller waits for 50 ms at most. A disk that
//     goes on hanging costs one such wait, and then nothing;
//   - a loss shows: an entry that finds no place in the queue, or that cannot be
//     written, is counted, and once the log can be written again, a line says how
//     many are missing. The log is used again without a restart;
//   - no secret has a place in it: an Entry has no headers and no queries.
//
// What is in the queue is lost when the process is killed, and what the system
// has not yet written to the disk when the machine loses its power: waiting for the
// disk on every request would make the log the bottleneck of the server. Rotation,
// [Log.Reopen] and [Log.Close] force the file to the disk.
//
// One process at a time may write to a log.
package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where a log is and how large it may grow.
type Options struct {
	Path     string // the file; its folder is made when it is not there
	MaxSize  int64  // bytes, after which the file is rotated; 0: never
	MaxFiles int    // rotated files that are kept, as Path.1, the newest, to Path.<MaxFiles>

	// OnChange is told when the log cannot be written or rotated, with the
	// reason, and when all is well again, with nil. It must be quick and not use
	// the log.
	OnChange func(error)
}

// Bounds of the queue. They are named in the package's doc comment.
const (
	queueSize = 1024
	maxWait   = 50 * time.Millisecond
	maxBatch  = 256 << 10 // bytes that are written at one time
)

// A Log is a file of entries. It is safe for concurrent use.
type Log struct {
	onChange func(error)
	reopen   chan chan error
	done     chan struct{}
	dropped  atomic.Int64
	hanging  atomic.Bool // somebody has waited in vain, and nothing has moved since

	mu     sync.RWMutex // of closed; held for reading by those who send to queue
	closed bool
	queue  chan []byte

	// Only the writer knows these:
	file     *file
	told     int64 // of dropped, in the file
	failing  bool
	batch    []byte
	closeErr error
}

// Open opens a log, with mode 0600 if it is new. Entries are added to what is
// there.
func Open(o Options) (*Log, error) { return open(o, openFile) }

func open(o Options, openHandle func(path string) (handle, error)) (*Log, error) {
	if o.MaxSize > 0 && o.MaxFiles < 1 {
		return nil, errors.New("audit: a log that is rotated keeps at least one old file, set how many")
	}
	f := &file{path: o.Path, maxSize: o.MaxSize, maxFiles: o.MaxFiles, openHandle: openHandle}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("audit: cannot open the log, check its path and owner: %w", err)
	}
	l := &Log{
		onChange: o.OnChange,
		reopen:   make(chan chan error),
		done:     make(chan struct{}),
		queue:    make(chan []byte, queueSize),
		file:     f,
	}
	go l.run()
	return l, nil
}

// Record adds an entry to the log, or counts it as dropped. It waits for 50 ms at
// most.
func (l *Log) Record(e Entry) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed || !l.enqueue(e.line()) {
		l.dropped.Add(1)
	}
}

func (l *Log) enqueue(line []byte) bool {
	select {
	case l.queue <- line:
		return true
	default:
	}
	if l.hanging.Load() {
		return false
	}
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	select {
	case l.queue <- line:
		return true
	case <-patience.C:
		l.hanging.Store(true)
		return false
	}
}

// Dropped is how many entries were lost since the log was opened.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

// Reopen opens the file at the log's path anew, after somebody has renamed or
// removed the old one. If it cannot be opened, the old one stays in use.
func (l *Log) Reopen(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case l.reopen <- answer:
	case <-l.done:
		return fmt.Errorf("audit: reopen: %w", os.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("audit: reopen: %w", ctx.Err())
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("audit: reopen: %w", ctx.Err())
	}
}

// Close writes what is in the queue, until ctx ends, and forces the file to the
// disk. Entries that come later are dropped.
func (l *Log) Close(ctx context.Context) error {
	l.shut()
	select {
	case <-l.done:
		return l.closeErr
	case <-ctx.Done():
		return fmt.Errorf("audit: close: %w", ctx.Err())
	}
}

func (l *Log) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
}

// run is the writer, until the queue is closed and empty.
func (l *Log) run() {
	defer close(l.done)
	for {
		select {
		case line, ok := <-l.queue:
			if !ok {
				l.end()
				return
			}
			l.collect(line)
			l.write()
		case answer := <-l.reopen:
			answer <- l.file.reopen()
		}
	}
}

// collect makes a batch of a line and those that are waiting.
func (l *Log) collect(line []byte) {
	l.batch = append(l.batch[:0], line...)
	for len(l.batch) < maxBatch {
		select {
		case line, ok := <-l.queue:
			if !ok {
				return
			}
			l.batch = append(l.batch, line...)
		default:
			return
		}
	}
}

// write writes the batch and counts what cannot be written.
func (l *Log) write() {
	err := l.confess()
	written := 0
	if err == nil {
		written, err = l.file.write(l.batch)
	}
	l.dropped.Add(int64(bytes.Count(l.batch[written:], newline)))
	l.hanging.Store(false)
	l.note(err)
}

// confess writes how many entries are missing, if any are since the last time.
func (l *Log) confess() error {
	dropped := l.dropped.Load()
	if dropped == l.told {
		return nil
	}
	_, err := l.file.write(lossLine(time.Now(), dropped-l.told))
	if err == nil {
		l.told = dropped
	}
	return err
}

func (l *Log) end() {
	if err := cmp.Or(l.confess(), l.file.close()); err != nil {
		l.closeErr = fmt.Errorf("audit: close: %w", err)
	}
}

// note tells of a change between failing and not.
func (l *Log) note(err error) {
	failing := err != nil
	if failing == l.failing {
		return
	}
	l.failing = failing
	if failing {
		err = fmt.Errorf("audit: the log cannot be written or rotated, check its folder and disk; it is tried again with every entry: %w", err)
	}
	if l.onChange != nil {
		l.onChange(err)
	}
}
