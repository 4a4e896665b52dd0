package modcache

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
)

// A finding is what is wrong with one version, and what has to go for that.
type finding struct {
	problems []string
	tree     bool     // the extracted files
	endings  []string // files
}

func (f *finding) add(problem string, endings ...string) {
	f.problems = append(f.problems, problem)
	for _, ending := range endings {
		if !slices.Contains(f.endings, ending) {
			f.endings = append(f.endings, ending)
		}
	}
}

func (f *finding) addTree(problem string, endings ...string) {
	f.tree = true
	f.add(problem, endings...)
}

// Check compares what is kept of a version: the zip and the extracted files with the
// hash that the go command noted when it had proven the download, the .mod with the zip,
// and the .info with the version. It returns what is wrong, for people. While a go
// command downloads the version, the error matches ErrInUse.
func (c *Cache) Check(ctx context.Context, e Entry) (problems []string, err error) {
	if c.isLocked(e.lock()) {
		return nil, fmt.Errorf("%s is %w", e, ErrInUse)
	}
	f, err := c.examine(ctx, e)
	return f.problems, err
}

// examine is Check for those who hold the lock, or do not mind.
func (c *Cache) examine(ctx context.Context, e Entry) (finding, error) {
	x := &examination{Cache: c, ctx: ctx, entry: e}
	for _, step := range []func() error{x.record, x.archive, x.extracted, x.info, x.mod} {
		if err := step(); err != nil {
			return finding{}, fmt.Errorf("%s: %w", e, err)
		}
	}
	return x.finding, nil
}

// An examination looks at one version.
type examination struct {
	*Cache
	ctx   context.Context
	entry Entry
	finding

	recorded string // the hash in .ziphash; empty: there is none that is good for something
	zipHash  string // of the .zip; empty: there is none that can be read
	goMod    []byte // in the .zip; nil: none
}

// record reads the noted hash.
func (x *examination) record() error {
	if !x.entry.has(".ziphash") {
		return nil
	}
	data, err := x.readQuietly(x.entry.file(".ziphash"))
	if err != nil {
		return err
	}
	if x.recorded = strings.TrimSpace(string(data)); !IsHash(x.recorded) {
		x.recorded = ""
		x.add("its .ziphash holds no hash", ".ziphash")
	}
	return nil
}

// IsHash reports whether a text has the form of a hash in go.sum.
func IsHash(text string) bool {
	sum, ok := strings.CutPrefix(text, "h1:")
	data, err := base64.StdEncoding.DecodeString(sum)
	return ok && err == nil && len(data) == 32
}

// archive hashes the zip.
func (x *examination) archive() error {
	if !x.entry.has(".zip") {
		return nil
	}
	f, err := x.open(x.entry.file(".zip"))
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(f, stat.Size())
	if err == nil {
		x.zipHash, err = x.hashZip(z)
	}
	switch {
	case x.ctx.Err() != nil:
		return context.Cause(x.ctx)
	case err != nil:
		x.add("its .zip cannot be read: "+err.Error(), ".zip")
	}
	return nil
}

// hashZip is dirhash.HashZip for an open zip. It keeps the go.mod.
func (x *examination) hashZip(z *zip.Reader) (string, error) {
	files := map[string]*zip.File{}
	var names []string
	for _, f := range z.File {
		files[f.Name] = f
		names = append(names, f.Name)
	}
	hash, err := x.hash(names, func(name string) (io.ReadCloser, error) { return files[name].Open() })
	if f := files[x.prefix()+"/go.mod"]; f != nil && err == nil {
		x.goMod, err = readZipped(f)
	}
	return hash, err
}

func readZipped(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxSmall))
}

// prefix is what the names in a zip begin with.
func (x *examination) prefix() string { return x.entry.String() }

// hash is the hash of some files, until the context ends.
func (x *examination) hash(names []string, open func(string) (io.ReadCloser, error)) (string, error) {
	return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
		if x.ctx.Err() != nil {
			return nil, context.Cause(x.ctx)
		}
		return open(name)
	})
}

// extracted compares the zip, the extracted files and the noted hash with each other.
// Two that agree are right: the third goes.
func (x *examination) extracted() error {
	if x.entry.has(".partial") {
		x.addTree("its extraction was interrupted", ".partial")
		return x.zipAlone()
	}
	if x.entry.tree == "" {
		return x.zipAlone()
	}
	treeHash, err := x.hashTree()
	if err != nil {
		return err
	}
	switch {
	case x.recorded == "":
		return x.treeAlone()
	case treeHash == x.recorded:
		if x.zipHash != "" && x.zipHash != x.recorded {
			x.add("its .zip differs from its .ziphash and its extracted files", ".zip")
		}
	case x.zipHash == x.recorded:
		x.addTree("its extracted files differ from its .zip" + x.difference())
	case x.zipHash == "":
		x.addTree("its extracted files differ from its .ziphash", ".ziphash")
	case treeHash == x.zipHash:
		x.add("its .ziphash differs from its .zip and its extracted files", ".ziphash")
	default:
		x.addTree("its .zip and its extracted files differ from its .ziphash", ".zip", ".ziphash")
	}
	return nil
}

// zipAlone compares the zip with the noted hash where there are no extracted files, or
// only a part of them. A zip without noted hash is proven when the go command needs it.
func (x *examination) zipAlone() error {
	if x.zipHash != "" && x.recorded != "" && x.zipHash != x.recorded {
		x.add("its .zip differs from its .ziphash", ".zip", ".ziphash")
	}
	return nil
}

// unpacked is the one module that the go command takes from the Go installation, and so
// keeps without zip and hash.
const unpacked = "golang.org/fips140"

// treeAlone judges extracted files without noted hash: the go command never uses them.
func (x *examination) treeAlone() error {
	if x.zipHash == "" && x.entry.Name != unpacked {
		x.addTree("it has extracted files, but neither .zip nor .ziphash to prove them with")
	}
	return nil
}

// hashTree is dirhash.HashDir for the extracted files.
func (x *examination) hashTree() (string, error) {
	names, err := x.treeFiles()
	if err != nil {
		return "", err
	}
	return x.hash(names, func(name string) (io.ReadCloser, error) {
		return x.open(x.entry.tree + strings.TrimPrefix(name, x.prefix()))
	})
}

// treeFiles are the extracted files by the names they have in the zip.
func (x *examination) treeFiles() ([]string, error) {
	var names []string
	err := fs.WalkDir(x.root.FS(), x.entry.tree, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || x.isUnhidden(name) {
			return err
		}
		names = append(names, x.prefix()+strings.TrimPrefix(name, x.entry.tree))
		return nil
	})
	return names, err
}

// isUnhidden reports whether a file is the copy of a _go.mod that the go command makes
// in a toolchain, since no zip may have a go.mod in a subfolder.
func (x *examination) isUnhidden(name string) bool {
	if x.entry.Kind != Toolchain || path.Base(name) != "go.mod" {
		return false
	}
	_, err := x.root.Lstat(path.Join(path.Dir(name), "_go.mod"))
	return err == nil
}

// difference names a file in which the extracted files differ from the zip.
func (x *examination) difference() string {
	f, err := x.open(x.entry.file(".zip"))
	if err != nil {
		return ""
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return ""
	}
	z, err := zip.NewReader(f, stat.Size())
	if err != nil {
		return ""
	}
	inZip := map[string]bool{}
	for _, file := range z.File {
		inZip[file.Name] = true
		name := strings.TrimPrefix(file.Name, x.prefix()+"/")
		if problem := x.differs(file, name); problem != "" {
			return ": " + name + " " + problem
		}
	}
	names, err := x.treeFiles()
	if err != nil {
		return ""
	}
	for _, name := range names {
		if !inZip[name] {
			return ": " + strings.TrimPrefix(name, x.prefix()+"/") + " was added"
		}
	}
	return ""
}

func (x *examination) differs(file *zip.File, name string) string {
	extracted, err := x.open(path.Join(x.entry.tree, name))
	if err != nil {
		return "is missing"
	}
	defer extracted.Close()
	original, err := file.Open()
	if err != nil {
		return "cannot be read in the .zip"
	}
	defer original.Close()
	if !equal(original, extracted) {
		return "was changed"
	}
	return ""
}

// equal compares what two readers bring.
func equal(a, b io.Reader) bool {
	bufA, bufB := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		if n != m || !bytes.Equal(bufA[:n], bufB[:m]) {
			return false
		}
		if errA != nil || errB != nil {
			return ended(errA) && ended(errB)
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// info reads the .info, which must be about this version.
func (x *examination) info() error {
	if !x.entry.has(".info") {
		return nil
	}
	data, err := x.readQuietly(x.entry.file(".info"))
	if err != nil {
		return err
	}
	var info struct{ Version string }
	if err := json.Unmarshal(data, &info); err != nil || info.Version != x.entry.Version {
		x.add("its .info is not about this version, or not whole", ".info")
	}
	return nil
}

// mod compares the .mod with the zip, if that has proven good. Some old modules have no
// go.mod in the zip; then the .mod must at least be one.
func (x *examination) mod() error {
	if !x.entry.has(".mod") {
		return nil
	}
	data, err := x.readQuietly(x.entry.file(".mod"))
	if err != nil {
		return err
	}
	f, err := modfile.ParseLax("go.mod", data, nil)
	switch {
	case err != nil || f.Module == nil:
		x.add("its .mod is no go.mod", ".mod")
	case x.goMod != nil && x.zipHash == x.recorded && !bytes.Equal(x.goMod, data):
		x.add("its .mod differs from the go.mod in its .zip", ".mod")
	}
	return nil
}

// Hash is the hash that the go command has noted of the zip of a version; empty where it
// has none.
func (c *Cache) Hash(e Entry) (string, error) {
	if !e.has(".ziphash") {
		return "", nil
	}
	data, err := c.readQuietly(e.file(".ziphash"))
	if hash := strings.TrimSpace(string(data)); err == nil && IsHash(hash) {
		return hash, nil
	}
	return "", err
}

// HashMod is the hash of the .mod of a version; empty where the cache has none.
func (c *Cache) HashMod(e Entry) (string, error) {
	if !e.has(".mod") {
		return "", nil
	}
	data, err := c.readQuietly(e.file(".mod"))
	if err != nil {
		return "", err
	}
	return HashMod(data)
}

// HashMod is the hash that go.sum has for a go.mod.
func HashMod(data []byte) (string, error) {
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
}

// Module is the version that an entry is of.
func (e Entry) Module() module.Version { return module.Version{Path: e.Name, Version: e.Version} }
