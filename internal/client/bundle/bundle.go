// Package bundle is how modules are carried to where there is no network.
//
// A bundle is a folder, or a tar of it, in the layout of the module proxy protocol: it
// works as GOPROXY=file://…, with the checksum database on. Beside the files of the
// modules it holds the database's records of them, all under one signed tree head, with
// the tiles that prove them, and a manifest of every file's size and hash.
//
// This package is the format: reading and writing manifests and tars. It takes a bundle
// for hostile, which can name no file outside the protocol, be no larger than its
// manifest says, and hold nothing else; and the same bundle is packed into the same
// bytes. What its files say it does not judge: package export makes bundles of proven
// files, package intake proves them again and takes them in.
//
// Sources: the Go Modules Reference, "GOPROXY protocol" and "Checksum database".
package bundle

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
)

// ManifestName is the name of the manifest in a bundle.
const ManifestName = "weir-bundle.json"

// format is the number of the format that is read and written here.
const format = 1

// maxManifest bounds a manifest, in bytes.
const maxManifest = 16 << 20

// A Manifest says what a bundle holds. It holds no time and nothing of the machine it
// was made on, so that equal bundles have equal manifests.
type Manifest struct {
	Format  int      `json:"format"`
	Weir    string   `json:"weir"`            // version that made it
	Go      string   `json:"go"`              // version of Go that made it
	SumDB   *SumDB   `json:"sumdb,omitempty"` // nil: nothing in it is proven
	Modules []Module `json:"modules"`         // by path and version
	Files   []File   `json:"files"`           // in the order of a tar: the database first, then by path
}

// A SumDB is the checksum database that a bundle is proven by.
type SumDB struct {
	Name string `json:"name"`
	Head string `json:"head"` // the signed tree head that proves all records

	// Since are sizes of older trees, in records. That the tree goes on where these
	// ended can be proven with what is in the bundle.
	Since []int64 `json:"since,omitempty"`
}

// A Module is a version of a module in a bundle, with the hashes that go.sum has.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Zip     string `json:"zip,omitempty"` // h1 of the zip; empty: only its go.mod is there
	Mod     string `json:"mod"`           // h1 of the go.mod
	Proven  bool   `json:"proven"`        // the bundle has the database's record of it
}

// A File is a file of a bundle.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"` // in bytes
	SHA256 string `json:"sha256"`
}

// New is the manifest of a bundle that this version of Weir makes.
func New(weir string) *Manifest {
	return &Manifest{Format: format, Weir: weir, Go: runtime.Version()}
}

// Sort puts the files in the order of a tar.
func (m *Manifest) Sort() { slices.SortFunc(m.Files, compareFiles) }

// Write completes the bundle in a folder: the manifest is whole or not there.
func (m *Manifest) Write(dir string) error {
	data, err := m.encode()
	if err != nil {
		return err
	}
	name := filepath.Join(dir, ManifestName)
	if err := os.WriteFile(name+".part", data, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".part", name)
}

// encode is the manifest as it is written.
func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	err := e.Encode(m)
	return b.Bytes(), err
}

// readManifest reads a manifest and refuses one that could not have been made here.
func readManifest(r io.Reader) (*Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxManifest {
		return nil, fmt.Errorf("the manifest is larger than %d bytes", maxManifest)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("the manifest is not as weir export writes it: %s", artifact.Clean(err.Error(), 200))
	}
	if m.Format != format {
		return nil, fmt.Errorf("the bundle has the format %d, and only %d is understood here; take the weir that made it", m.Format, format)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("the manifest is not as weir export writes it: %w", err)
	}
	return &m, nil
}

// check reports what is wrong with a manifest.
func (m *Manifest) check() error {
	modules := map[module.Version]Module{}
	for _, mod := range m.Modules {
		v := module.Version{Path: mod.Path, Version: mod.Version}
		if _, twice := modules[v]; twice {
			return fmt.Errorf("%s is named twice", v)
		}
		modules[v] = mod
	}
	for i, f := range m.Files {
		n, err := f.Name()
		if err != nil {
			return err
		}
		if i > 0 && compareFiles(m.Files[i-1], f) >= 0 {
			return fmt.Errorf("%s is out of order, or is named twice", n)
		}
		if err := m.checkOwner(n, modules); err != nil {
			return err
		}
	}
	return nil
}

// checkOwner reports whether a file belongs to a module or database of the manifest.
func (m *Manifest) checkOwner(n artifact.Name, modules map[module.Version]Module) error {
	if n.Kind.IsSum() {
		if m.SumDB == nil || m.SumDB.Name != n.DB {
			return fmt.Errorf("%s is of another checksum database", n)
		}
		return nil
	}
	if n.Kind == artifact.List || n.Kind == artifact.Latest {
		return nil
	}
	if _, ok := modules[module.Version{Path: n.Module, Version: n.Version}]; !ok {
		return fmt.Errorf("%s is of no module that it names", n)
	}
	return nil
}

// Name is the name of a file, which must be one of the protocol.
func (f File) Name() (artifact.Name, error) {
	n, err := artifact.Parse(f.Path)
	sum, hexErr := hex.DecodeString(f.SHA256)
	switch {
	case err != nil || n.Key() != f.Path || n.Kind == artifact.Query:
		return n, fmt.Errorf("%q is no file of the module proxy protocol", artifact.Clean(f.Path, 100))
	case hexErr != nil || len(sum) != 32 || strings.ToLower(f.SHA256) != f.SHA256:
		return n, fmt.Errorf("%s has no SHA-256 hash", n)
	case f.Size < 0 || f.Size > n.Kind.MaxSize():
		return n, fmt.Errorf("%s has %d bytes, and may have %d", n, f.Size, n.Kind.MaxSize())
	}
	return n, nil
}

// compareFiles orders files as they stand in a tar: what proves the others comes first.
func compareFiles(a, b File) int {
	order := func(f File) int {
		if f.IsSum() {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a.Path, b.Path))
}

// IsSum reports whether a file is one of a checksum database.
func (f File) IsSum() bool { return strings.HasPrefix(f.Path, "sumdb/") }

// IsModule reports whether a file is the .info, .mod or .zip of a module.
func (f File) IsModule() bool {
	n, err := f.Name()
	return err == nil && (n.Kind == artifact.Info || n.Kind == artifact.Mod || n.Kind == artifact.Zip)
}

// Compare is an error unless a file has the SHA-256 hash that the manifest says.
func (f File) Compare(sum []byte) error {
	if hex.EncodeToString(sum) == f.SHA256 {
		return nil
	}
	return &artifact.Error{
		Class:  artifact.ErrIntegrity,
		Reason: fmt.Sprintf("%s is not what the manifest says: its SHA-256 hash is %x, not %s", f.Path, sum, f.SHA256),
		Hint:   "the bundle was damaged or changed on its way: copy it again, and compare it with the one that was exported",
	}
}

// Bytes is how large all files are together.
func (m *Manifest) Bytes() (total int64) {
	for _, f := range m.Files {
		total += f.Size
	}
	return total
}

// Unproven are the modules that no checksum database vouches for.
func (m *Manifest) Unproven() []Module {
	return slices.DeleteFunc(slices.Clone(m.Modules), func(mod Module) bool { return mod.Proven })
}

// ErrNone: there is no manifest.
var ErrNone = errors.New("there is no " + ManifestName + " in it, so that it is no bundle, or weir export has not come to its end; run that again")
