// Package check compares what the module cache holds of one version with itself: the zip
// and the extracted files with the hash that the go command noted when it had proven the
// download, the .mod with the zip, and the .info with the version.
//
// It promises to say which of them is the wrong one, as far as two of three agree, so that
// as little as possible has to be fetched again; that it changes nothing; and that it
// reads no more than [Folder] lets it. That the noted hash is the right one it takes from
// the go command.
//
// Sources: cmd/go/internal/modfetch, cache.go and fetch.go; golang.org/x/mod/zip.
package check

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/h1"
)

// A Folder is the folder of a module cache. Names in it have slashes.
type Folder interface {
	Open(name string) (*os.File, error)
	ReadFile(name string) ([]byte, error) // of a small file
	Lstat(name string) (fs.FileInfo, error)
	FS() fs.FS
}

// A Version is what there is of one version.
type Version struct {
	Module    module.Version
	Toolchain bool
	Base      string   // what the names of its files begin with
	Endings   []string // of the files that are there
	Tree      string   // the folder of the extracted files; empty: there is none
}

// A Verdict is what is wrong with a version, and what has to go for that.
type Verdict struct {
	Problems []string // for people
	Tree     bool     // the extracted files
	Endings  []string // files
}

func (v *Verdict) add(problem string, endings ...string) {
	v.Problems = append(v.Problems, problem)
	for _, ending := range endings {
		if !slices.Contains(v.Endings, ending) {
			v.Endings = append(v.Endings, ending)
		}
	}
}

func (v *Verdict) addTree(problem string, endings ...string) {
	v.Tree = true
	v.add(problem, endings...)
}

// Examine looks at a version. A go command that is at work on it would make it look
// broken: the caller holds the lock, or does not mind.
func Examine(ctx context.Context, in Folder, v Version) (Verdict, error) {
	x := &examination{Folder: in, ctx: ctx, version: v}
	for _, step := range []func() error{x.record, x.archive, x.extracted, x.info, x.mod} {
		if err := step(); err != nil {
			return Verdict{}, fmt.Errorf("%s: %w", v.Module, err)
		}
	}
	return x.Verdict, nil
}

// An examination looks at one version.
type examination struct {
	Folder
	ctx     context.Context
	version Version
	Verdict

	recorded string // the hash in .ziphash; empty: there is none that is good for something
	zipHash  string // of the .zip; empty: there is none that can be read
	goMod    []byte // in the .zip; nil: none
}

// has reports whether there is a file of this ending, file is its name.
func (x *examination) has(ending string) bool    { return slices.Contains(x.version.Endings, ending) }
func (x *examination) file(ending string) string { return x.version.Base + ending }

// record reads the noted hash.
func (x *examination) record() error {
	if !x.has(".ziphash") {
		return nil
	}
	data, err := x.ReadFile(x.file(".ziphash"))
	if err != nil {
		return err
	}
	if x.recorded = strings.TrimSpace(string(data)); !h1.Is(x.recorded) {
		x.recorded = ""
		x.add("its .ziphash holds no hash", ".ziphash")
	}
	return nil
}

// archive hashes the zip.
func (x *examination) archive() error {
	if !x.has(".zip") {
		return nil
	}
	f, err := x.Open(x.file(".zip"))
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zipIn(f)
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

func zipIn(f *os.File) (*zip.Reader, error) {
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return zip.NewReader(f, stat.Size())
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
	return io.ReadAll(io.LimitReader(r, maxGoMod))
}

// maxGoMod bounds what is read of a go.mod in a zip, in bytes: the largest there may be.
const maxGoMod = 16 << 20

// prefix is what the names in a zip begin with.
func (x *examination) prefix() string { return x.version.Module.String() }

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
	if x.has(".partial") {
		x.addTree("its extraction was interrupted", ".partial")
		return x.zipAlone()
	}
	if x.version.Tree == "" {
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
	if x.zipHash == "" && x.version.Module.Path != unpacked {
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
		return x.Open(x.version.Tree + strings.TrimPrefix(name, x.prefix()))
	})
}

// treeFiles are the extracted files by the names they have in the zip.
func (x *examination) treeFiles() ([]string, error) {
	var names []string
	err := fs.WalkDir(x.FS(), x.version.Tree, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || x.isUnhidden(name) {
			return err
		}
		names = append(names, x.prefix()+strings.TrimPrefix(name, x.version.Tree))
		return nil
	})
	return names, err
}

// isUnhidden reports whether a file is the copy of a _go.mod that the go command makes
// in a toolchain, since no zip may have a go.mod in a subfolder.
func (x *examination) isUnhidden(name string) bool {
	if !x.version.Toolchain || path.Base(name) != "go.mod" {
		return false
	}
	_, err := x.Lstat(path.Join(path.Dir(name), "_go.mod"))
	return err == nil
}

// difference names a file in which the extracted files differ from the zip.
func (x *examination) difference() string {
	f, err := x.Open(x.file(".zip"))
	if err != nil {
		return ""
	}
	defer f.Close()
	z, err := zipIn(f)
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
	extracted, err := x.Open(path.Join(x.version.Tree, name))
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
	if !x.has(".info") {
		return nil
	}
	data, err := x.ReadFile(x.file(".info"))
	if err != nil {
		return err
	}
	var info struct{ Version string }
	if err := json.Unmarshal(data, &info); err != nil || info.Version != x.version.Module.Version {
		x.add("its .info is not about this version, or not whole", ".info")
	}
	return nil
}

// mod compares the .mod with the zip, if that has proven good. Some old modules have no
// go.mod in the zip; then the .mod must at least be one.
func (x *examination) mod() error {
	if !x.has(".mod") {
		return nil
	}
	data, err := x.ReadFile(x.file(".mod"))
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
