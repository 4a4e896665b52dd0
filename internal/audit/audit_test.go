package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// record is what a line of a log says.
type record struct {
	Time                                                                   time.Time
	ID, Who, From, Action, Target, Module, Version, Decision, Rule, Reason string
	Status                                                                 int
	Lost                                                                   int64
}

// read reads the lines of files, all of which must be whole.
func read(t *testing.T, names ...string) []record {
	t.Helper()
	var records []record
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 0 && text[len(text)-1] != '\n' {
			t.Errorf("%s ends with a torn line", name)
		}
		for line := range bytes.Lines(text) {
			records = append(records, parse(t, line))
		}
	}
	return records
}

func parse(t *testing.T, line []byte) (r record) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return r
}

func openLog(t *testing.T, o Options) *Log {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "audit.jsonl")
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.Background()) })
	return l
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func ids(records []record) (ids []string) {
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func wantIDs(t *testing.T, records []record, want ...string) {
	t.Helper()
	if got := ids(records); !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
}

func TestAnEntryIsALineThatSaysAllOfIt(t *testing.T) {
	name := filepath.Join(t.TempDir(), "new", "audit.jsonl")
	l := openLog(t, Options{Path: name})
	at := time.Date(2026, 11, 21, 13, 4, 5, 60_000_000, time.FixedZone("", 3600))
	l.Record(Entry{
		Time: at, ID: "r1", Who: "ci", From: "192.0.2.1", Action: "GET", Target: "example.com/m/@v/v1.0.0.zip",
		Module: "example.com/m", Version: "v1.0.0", Decision: "deny", Rule: "no-zips", Reason: "not for ci", Status: 403,
	})
	l.Record(Entry{Action: "token.create"})
	closeLog(t, l)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(string(text), "\n")
	const want = `{"time":"2026-11-21T12:04:05.060000Z","id":"r1","who":"ci","from":"192.0.2.1","action":"GET",` +
		`"target":"example.com/m/@v/v1.0.0.zip","module":"example.com/m","version":"v1.0.0",` +
		`"decision":"deny","rule":"no-zips","reason":"not for ci","status":403}`
	if first != want {
		t.Errorf("line\n%s\nwant\n%s", first, want)
	}
	if r := parse(t, []byte(second)); r.Action != "token.create" || time.Since(r.Time).Abs() > time.Hour || strings.Contains(second, `""`) {
		t.Errorf("line %s", second)
	}
}

func TestA25TheLogIsTheOwnersOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no such modes
	}
	dir := filepath.Join(t.TempDir(), "new")
	l := openLog(t, Options{Path: filepath.Join(dir, "log"), MaxSize: 1, MaxFiles: 1})
	l.Record(Entry{ID: "1"})
	l.Record(Entry{ID: "2"})
	closeLog(t, l)
	for name, want := range map[string]fs.FileMode{"": 0o700, "log": 0o600, "log.1": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
}

func TestALogIsAddedTo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	for _, id := range []string{"1", "2", "3"} {
		l := openLog(t, Options{Path: name})
		l.Record(Entry{ID: id})
		closeLog(t, l)
	}
	wantIDs(t, read(t, name), "1", "2", "3")
}

func TestALineTornByACrashIsEndedBeforeTheNext(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, []byte("{\"id\":\"1\"}\n{\"id\":\"to"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, Options{Path: name})
	l.Record(Entry{ID: "2"})
	closeLog(t, l)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 || lines[1] != `{"id":"to` || parse(t, []byte(lines[2])).ID != "2" || lines[3] != "" {
		t.Errorf("lines %q", lines)
	}
}

func TestWhatCannotBeALogIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Path: dir}, {Path: filepath.Join(file, "log")}, {}, {Path: filepath.Join(dir, "log"), MaxSize: 1}} {
		if l, err := Open(o); err == nil {
			l.Close(t.Context())
			t.Errorf("Open(%+v) succeeds", o)
		}
	}
}

// Entries of many at once are all there, each whole, those of one in their order,
// over as many files as it takes, none of which is larger than it may be.
func TestRotationLosesAndSplitsNoLine(t *testing.T) {
	const workers, each, maxSize = 16, 200, 4 << 10
	name := filepath.Join(t.TempDir(), "log")
	l := openLog(t, Options{Path: name, MaxSize: maxSize, MaxFiles: 10_000})
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				l.Record(Entry{ID: fmt.Sprintf("%d-%d", w, i), Reason: strings.Repeat("x", (w*i)%300)})
				if i%50 == 0 {
					l.Reopen(t.Context())
				}
			}
		})
	}
	all.Wait()
	closeLog(t, l)
	var next [workers]int
	files := oldestFirst(t, name)
	for _, r := range read(t, files...) {
		worker, number, _ := strings.Cut(r.ID, "-")
		w, _ := strconv.Atoi(worker)
		if number != strconv.Itoa(next[w]) {
			t.Fatalf("entry %s comes where %d is due", r.ID, next[w])
		}
		next[w]++
	}
	for w, n := range next {
		if n != each {
			t.Errorf("%d entries of worker %d, want %d", n, w, each)
		}
	}
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || info.Size() > maxSize {
			t.Errorf("%s: %d bytes, %v", name, info.Size(), err)
		}
	}
	if len(files) < 10 || l.Dropped() != 0 {
		t.Errorf("%d files, %d dropped", len(files), l.Dropped())
	}
}

// oldestFirst lists the files of a log.
func oldestFirst(t *testing.T, name string) []string {
	t.Helper()
	files := []string{name}
	for i := 1; exists(name + "." + strconv.Itoa(i)); i++ {
		files = append(files, name+"."+strconv.Itoa(i))
	}
	slices.Reverse(files)
	return files
}

func TestRotationKeepsTheNewest(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	l := openLog(t, Options{Path: name, MaxSize: 1, MaxFiles: 2}) // a line for each file
	for i := range 10 {
		l.Record(Entry{ID: strconv.Itoa(i)})
	}
	closeLog(t, l)
	files := oldestFirst(t, name)
	if len(files) != 3 {
		t.Errorf("files %q", files)
	}
	wantIDs(t, read(t, files...), "7", "8", "9")
}

func TestAFileTakesExactlyAsMuchAsItMay(t *testing.T) {
	at := time.Now()
	size := int64(len(Entry{Time: at, ID: "0"}.line()))
	for _, c := range []struct {
		maxSize int64
		want    int // lines in the first file
	}{{0, 5}, {3*size - 1, 2}, {3 * size, 3}, {3*size + 1, 3}, {5 * size, 5}} {
		name := filepath.Join(t.TempDir(), "log")
		l := openLog(t, Options{Path: name, MaxSize: c.maxSize, MaxFiles: 9})
		for i := range 5 {
			l.Record(Entry{Time: at, ID: strconv.Itoa(i)})
		}
		closeLog(t, l)
		files := oldestFirst(t, name)
		wantIDs(t, read(t, files...), "0", "1", "2", "3", "4")
		if n := len(read(t, files[0])); n != c.want {
			t.Errorf("%d lines in a file of up to %d bytes, want %d", n, c.maxSize, c.want)
		}
	}
}

func TestWhereRotationFailsTheLogGrowsAndNothingIsLost(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "log")
	told := make(chan error, 10)
	l := openLog(t, Options{Path: name, MaxSize: 1, MaxFiles: 1, OnChange: func(err error) { told <- err }})
	blocked := filepath.Join(name+".1", "in", "the", "way")
	if err := os.MkdirAll(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	l.Record(Entry{ID: "1"})
	l.Record(Entry{ID: "2"})
	if err := <-told; err == nil {
		t.Error("told that all is well")
	}
	if err := os.RemoveAll(name + ".1"); err != nil {
		t.Fatal(err)
	}
	l.Record(Entry{ID: "3"})
	if err := <-told; err != nil {
		t.Errorf("told %v", err)
	}
	closeLog(t, l)
	wantIDs(t, read(t, name+".1", name), "1", "2", "3")
	if l.Dropped() != 0 {
		t.Errorf("%d dropped", l.Dropped())
	}
}

func TestReopenGoesOnInANewFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "log")
		l := openLog(t, Options{Path: name})
		put(l, "1")
		if err := os.Rename(name, name+".old"); err != nil {
			t.Fatal(err)
		}
		put(l, "2")
		if err := l.Reopen(t.Context()); err != nil {
			t.Fatal(err)
		}
		put(l, "3")
		closeLog(t, l)
		wantIDs(t, read(t, name+".old"), "1", "2")
		wantIDs(t, read(t, name), "3")
	})
}

// put returns, in a bubble, when the entry has been written.
func put(l *Log, id string) {
	l.Record(Entry{ID: id, Reason: strings.Repeat("x", 50)})
	synctest.Wait()
}

func TestWhereReopenFailsTheOldFileStaysInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "logs")
		name := filepath.Join(dir, "log")
		l := openLog(t, Options{Path: name})
		put(l, "1")
		moved := dir + ".moved"
		if err := os.Rename(dir, moved); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(t.Context()); err == nil {
			t.Error("Reopen succeeds")
		}
		put(l, "2")
		closeLog(t, l)
		wantIDs(t, read(t, filepath.Join(moved, "log")), "1", "2")
	})
}

func TestWhatComesAfterCloseIsCounted(t *testing.T) {
	l := openLog(t, Options{})
	closeLog(t, l)
	closeLog(t, l)
	l.Record(Entry{ID: "1"})
	if l.Dropped() != 1 {
		t.Errorf("%d dropped", l.Dropped())
	}
	if err := l.Reopen(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Reopen = %v", err)
	}
}

// A disk is an openHandle whose files fail on demand.
type disk struct {
	mu     sync.Mutex
	room   int           // bytes that are left; negative: no end
	hang   chan struct{} // not nil: a write waits for it
	frozen bool          // files cannot be cut
	syncs  int
}

func (d *disk) open(path string) (handle, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &diskFile{f, d}, nil
}

func (d *disk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

type diskFile struct {
	*os.File
	disk *disk
}

func (f *diskFile) Write(p []byte) (int, error) {
	var hang chan struct{}
	f.disk.set(func() { hang = f.disk.hang })
	if hang != nil {
		<-hang
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	room := f.disk.room
	if room < 0 {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:min(len(p), room)])
	f.disk.room -= n
	if n == len(p) {
		return n, err
	}
	return n, errors.Join(err, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC})
}

func (f *diskFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.frozen {
		return &fs.PathError{Op: "truncate", Path: f.Name(), Err: syscall.EIO}
	}
	return f.File.Truncate(size)
}

func (f *diskFile) Sync() error {
	f.disk.set(func() { f.disk.syncs++ })
	return f.File.Sync()
}

func openOn(t *testing.T, d *disk, o Options) *Log {
	t.Helper()
	l, err := open(o, d.open)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAFileThatIsLeftIsForcedToTheDisk(t *testing.T) {
	d := &disk{room: -1}
	l := openOn(t, d, Options{Path: filepath.Join(t.TempDir(), "log"), MaxSize: 1, MaxFiles: 1})
	for i := range 3 { // two rotations
		l.Record(Entry{ID: strconv.Itoa(i)})
	}
	closeLog(t, l)
	if d.syncs != 3 {
		t.Errorf("%d syncs of 3 files", d.syncs)
	}
}

func TestAGapBetweenOldFilesIsFilledBeforeOneIsDropped(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	for _, number := range []string{"2", "3"} {
		if err := os.WriteFile(name+"."+number, Entry{ID: number}.line(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := openLog(t, Options{Path: name, MaxSize: 1, MaxFiles: 3})
	l.Record(Entry{ID: "1"})
	l.Record(Entry{ID: "0"})
	closeLog(t, l)
	wantIDs(t, read(t, name, name+".1", name+".2", name+".3"), "0", "1", "2", "3")
}

func TestALineThatCannotBeTakenBackIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "log")
		d := &disk{room: -1}
		l := openOn(t, d, Options{Path: name})
		put(l, "1")
		d.set(func() { d.room, d.frozen = 20, true })
		put(l, "2")
		d.set(func() { d.room = -1 })
		put(l, "3")
		closeLog(t, l)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(text), "\n")
		if len(lines) != 5 || parse(t, []byte(lines[0])).ID != "1" || len(lines[1]) != 21 || parse(t, []byte(lines[2])).Lost != 1 || parse(t, []byte(lines[3])).ID != "3" {
			t.Errorf("lines %q", lines)
		}
	})
}

// logrotate's copytruncate empties the file while it is in use.
func TestAFileThatIsEmptiedStaysWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "log")
		d := &disk{room: -1}
		l := openOn(t, d, Options{Path: name})
		put(l, "1")
		if err := os.Truncate(name, 0); err != nil {
			t.Fatal(err)
		}
		d.set(func() { d.room = 20 })
		put(l, "2")
		d.set(func() { d.room = -1 })
		put(l, "3")
		closeLog(t, l)
		records := read(t, name)
		wantIDs(t, records, "", "3")
		if records[0].Lost != 1 {
			t.Errorf("records %+v", records)
		}
	})
}

func TestF3AFullDiskLosesWholeLinesSaysHowManyAndIsUsedAgain(t *testing.T) {
	for _, room := range []int{0, 1, 10, 100, 200} {
		t.Run(fmt.Sprint(room), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { fillDisk(t, room) }) })
	}
}

func fillDisk(t *testing.T, room int) {
	name := filepath.Join(t.TempDir(), "log")
	d := &disk{room: -1}
	told := make(chan error, 10)
	l := openOn(t, d, Options{Path: name, OnChange: func(err error) { told <- err }})
	put(l, "before")
	d.set(func() { d.room = room })
	for i := range 10 {
		put(l, strconv.Itoa(i))
	}
	if err := <-told; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("told %v", err)
	}
	d.set(func() { d.room = -1 })
	put(l, "after")
	if err := <-told; err != nil {
		t.Errorf("told %v after the disk has room", err)
	}
	closeLog(t, l)
	records := read(t, name)
	var lost int64
	var kept []string
	for _, r := range records {
		lost += r.Lost
		if r.Lost == 0 {
			kept = append(kept, r.ID)
		}
	}
	if lost == 0 || lost != l.Dropped() || int(lost)+len(kept) != 12 || kept[0] != "before" || kept[len(kept)-1] != "after" {
		t.Errorf("kept %q, %d lost, %d dropped", kept, lost, l.Dropped())
	}
}

func TestALossAfterTheLastEntryIsToldAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "log")
		d := &disk{}
		l := openOn(t, d, Options{Path: name})
		put(l, "lost")
		d.set(func() { d.room = -1 })
		closeLog(t, l)
		if records := read(t, name); len(records) != 1 || records[0].Lost != 1 {
			t.Errorf("records %+v", records)
		}
	})
}

func TestF8AHungDiskHoldsNobodyUpForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const over = 10
		name := filepath.Join(t.TempDir(), "log")
		d := &disk{room: -1}
		l := openOn(t, d, Options{Path: name})
		for again := range 2 {
			hang := make(chan struct{})
			d.set(func() { d.hang = hang })
			begun := time.Now()
			put(l, "hangs") // the writer has it
			for i := range queueSize {
				l.Record(Entry{ID: strconv.Itoa(i)})
			}
			if time.Since(begun) != 0 {
				t.Errorf("waited %v while there was room in the queue", time.Since(begun))
			}
			for range over {
				l.Record(Entry{ID: "over"})
			}
			if waited := time.Since(begun); waited != maxWait {
				t.Errorf("%d entries without room waited %v", over, waited)
			}
			if dropped := l.Dropped(); dropped != int64(over*(again+1)) {
				t.Errorf("%d dropped", dropped)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := l.Reopen(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Reopen on a hung disk = %v", err)
			}
			cancel()
			d.set(func() { d.hang = nil })
			close(hang)
			synctest.Wait()
		}
		put(l, "after")
		closeLog(t, l)
		records := read(t, name)
		lost := slices.DeleteFunc(slices.Clone(records), func(r record) bool { return r.Lost != over || r.Action != "audit.lost" })
		if n := len(records); n != 2*(queueSize+2)+1 || len(lost) != 2 || records[0].ID != "hangs" || records[n-1].ID != "after" {
			t.Errorf("%d records, %d of what is lost", n, len(lost))
		}
	})
}

func TestCloseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: -1, hang: make(chan struct{})}
		l := openOn(t, d, Options{Path: filepath.Join(t.TempDir(), "log")})
		l.Record(Entry{ID: "1"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close on a hung disk = %v", err)
		}
		close(d.hang)
		closeLog(t, l)
	})
}

func BenchmarkRecord(b *testing.B) {
	l, err := Open(Options{Path: filepath.Join(b.TempDir(), "log"), MaxSize: 64 << 20, MaxFiles: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close(context.Background())
	e := Entry{ID: "0123456789abcdef", Who: "ci", From: "192.0.2.1", Action: "GET", Target: "example.com/m/@v/v1.0.0.mod", Decision: "allow", Rule: "default", Status: 200}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Record(e)
		}
	})
	b.ReportMetric(float64(l.Dropped()), "dropped")
}
