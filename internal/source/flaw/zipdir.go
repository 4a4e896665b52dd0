package flaw

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/goweir/weir/internal/artifact"
)

// The bounds of a zip's directory. The largest modules have a fraction of these.
const (
	maxEntries   = 1 << 17
	maxDirectory = 32 << 20 // bytes
	// maxNames bounds the lengths of all names, each counted once for every
	// directory it is in: so much does it cost to look for names that collide.
	maxNames = 256 << 20
)

// The parts of a zip file that are looked at here, by their signatures, and the
// lengths of what is fixed in them. Source: APPNOTE.TXT 4.3.
const (
	localSignature     = "PK\x03\x04"
	entrySignature     = "PK\x01\x02"
	endSignature       = "PK\x05\x06"
	end64Signature     = "PK\x06\x06"
	locator64Signature = "PK\x06\x07"

	localLen     = 30
	entryLen     = 46
	endLen       = 22
	end64Len     = 56
	locator64Len = 20
)

var (
	errNoZip     = errors.New("it is not a zip file, or not the whole of one")
	errMisplaced = errors.New("the zip's directory is not where its end says")
)

// checkDirectory reports what archive/zip leaves unnoticed or would need much
// memory for: data before and behind the archive, endless directories, files
// that are encrypted or not regular, and local headers that tell another story
// than the directory.
func checkDirectory(ctx context.Context, r io.ReaderAt, size int64) error {
	d, err := findDirectory(r, size)
	if err != nil {
		return err
	}
	if d.size > maxDirectory {
		return fmt.Errorf("the zip's directory is larger than %d bytes", maxDirectory)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(r, d.offset, d.size), 64<<10)
	entries, names, first := 0, 0, d.offset
	for {
		e, err := readEntry(in)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		entries++
		names += len(e.name) * (1 + bytes.Count(e.name, []byte("/")))
		first = min(first, e.offset)
		if names > maxNames {
			return errors.New("the zip's files have too long names, or lie too deep")
		}
		if err := e.check(r); err != nil {
			return fmt.Errorf("%q: %w", artifact.Clean(string(e.name), 100), err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if first != 0 {
		return errors.New("the zip has data before its first file")
	}
	if entries != d.entries {
		return fmt.Errorf("the zip's directory has %d files instead of %d", entries, d.entries)
	}
	return nil
}

// zipDirectory is where a zip says that its directory is.
type zipDirectory struct {
	offset, size int64
	entries      int
}

// findDirectory reads the end of a zip: the record that archive/zip would take
// has to be the very last bytes, with the directory right before it.
func findDirectory(r io.ReaderAt, size int64) (zipDirectory, error) {
	tail := make([]byte, min(size, endLen+1<<16-1))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return zipDirectory{}, err
	}
	at := bytes.LastIndex(tail[:max(0, len(tail)-endLen+len(endSignature))], []byte(endSignature))
	if at < 0 {
		return zipDirectory{}, errNoZip
	}
	end := tail[at:]
	if endLen+int(binary.LittleEndian.Uint16(end[20:])) != len(end) {
		return zipDirectory{}, errors.New("the zip has data behind its end")
	}
	d := zipDirectory{
		entries: int(binary.LittleEndian.Uint16(end[10:])),
		size:    int64(binary.LittleEndian.Uint32(end[12:])),
		offset:  int64(binary.LittleEndian.Uint32(end[16:])),
	}
	ends := size - int64(len(end))
	if d.entries == 1<<16-1 || d.size == 1<<32-1 || d.offset == 1<<32-1 {
		var err error
		if ends, err = d.read64(r, ends); err != nil {
			return zipDirectory{}, err
		}
	}
	if !d.endsAt(ends) {
		return zipDirectory{}, errMisplaced
	}
	return d, nil
}

// endsAt reports whether the directory lies right before an offset.
func (d zipDirectory) endsAt(end int64) bool {
	return d.offset >= 0 && d.size >= 0 && d.size <= end && d.offset == end-d.size
}

// read64 reads what the end of a zip at an offset has no room for, where there
// is more: from the record of the format's extension right before it. It
// returns the offset of the first of the two.
func (d *zipDirectory) read64(r io.ReaderAt, end int64) (int64, error) {
	var buf [end64Len + locator64Len]byte
	start := end - int64(len(buf))
	if start < 0 {
		return end, nil
	}
	if _, err := r.ReadAt(buf[:], start); err != nil {
		return 0, err
	}
	record, locator := buf[:end64Len], buf[end64Len:]
	if !bytes.HasPrefix(locator, []byte(locator64Signature)) {
		return end, nil // it has just that many
	}
	if !bytes.HasPrefix(record, []byte(end64Signature)) || binary.LittleEndian.Uint64(locator[8:]) != uint64(start) {
		return 0, errNoZip
	}
	entries := binary.LittleEndian.Uint64(record[32:])
	if entries > maxEntries {
		return 0, fmt.Errorf("the zip has more than %d files", maxEntries)
	}
	d.entries = int(entries)
	d.size = int64(binary.LittleEndian.Uint64(record[40:]))
	d.offset = int64(binary.LittleEndian.Uint64(record[48:]))
	return start, nil
}

// zipEntry is what the directory says of a file.
type zipEntry struct {
	name   []byte
	madeBy byte // the kind of system whose attributes these are
	flags  uint16
	method uint16
	attrs  uint32
	offset int64 // of the local header
}

// readEntry reads the next entry of a directory; io.EOF: there is none.
func readEntry(in *bufio.Reader) (*zipEntry, error) {
	var h [entryLen]byte
	if _, err := io.ReadFull(in, h[:]); err != nil {
		return nil, wholeOrEOF(err)
	}
	if !bytes.HasPrefix(h[:], []byte(entrySignature)) {
		return nil, errNoZip
	}
	e := &zipEntry{
		madeBy: h[5],
		flags:  binary.LittleEndian.Uint16(h[8:]),
		method: binary.LittleEndian.Uint16(h[10:]),
		name:   make([]byte, binary.LittleEndian.Uint16(h[28:])),
		attrs:  binary.LittleEndian.Uint32(h[38:]),
		offset: int64(binary.LittleEndian.Uint32(h[42:])),
	}
	if _, err := io.ReadFull(in, e.name); err != nil {
		return nil, errNoZip
	}
	rest := int(binary.LittleEndian.Uint16(h[30:])) + int(binary.LittleEndian.Uint16(h[32:]))
	if _, err := in.Discard(rest); err != nil {
		return nil, errNoZip
	}
	return e, nil
}

// wholeOrEOF makes a flaw of an end in the middle of something.
func wholeOrEOF(err error) error {
	if err == io.ErrUnexpectedEOF {
		return errNoZip
	}
	return err
}

const (
	flagsEncrypted = 1<<0 | 1<<6 | 1<<13 // the file, strongly, the directory

	madeByUnix, madeByDarwin = 3, 19
	unixType                 = 0o170000
	unixRegular              = 0o100000
	unixDirectory            = 0o040000
)

// check reports what is wrong with an entry and its local header.
func (e *zipEntry) check(r io.ReaderAt) error {
	switch {
	case e.flags&flagsEncrypted != 0:
		return errors.New("the file is encrypted")
	case e.method != zip.Store && e.method != zip.Deflate:
		return fmt.Errorf("the file is compressed by method %d, which the go command does not know", e.method)
	case !e.regular():
		return errors.New("the file is a symbolic link or something else that is not regular")
	}
	local := make([]byte, localLen+len(e.name))
	if _, err := r.ReadAt(local, e.offset); err != nil {
		if err == io.EOF {
			return errNoZip
		}
		return err
	}
	same := bytes.HasPrefix(local, []byte(localSignature)) &&
		binary.LittleEndian.Uint16(local[6:])&flagsEncrypted == 0 &&
		binary.LittleEndian.Uint16(local[8:]) == e.method &&
		int(binary.LittleEndian.Uint16(local[26:])) == len(e.name) &&
		bytes.Equal(local[localLen:], e.name)
	if !same {
		return errors.New("the zip's directory and the header of the file differ")
	}
	return nil
}

// regular reports whether the file is one, or a directory. Most archives of
// modules hold no attributes at all.
func (e *zipEntry) regular() bool {
	if e.madeBy != madeByUnix && e.madeBy != madeByDarwin {
		return true
	}
	switch e.attrs >> 16 & unixType {
	case 0, unixRegular, unixDirectory:
		return true
	}
	return false
}
