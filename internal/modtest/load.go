package modtest

import (
	"fmt"
	"io/fs"
	"strings"
)

// Load returns a Proxy of the modules in a tree of files: those of a version
// lie in a folder named MODULE@VERSION, as in
//
//	example.com/greet@v1.0.0/go.mod
//	example.com/greet@v1.0.0/greet.go
//	example.com/greet@v1.0.0/.info    (optional: served as it is)
//
// A file named branches at the top has lines of three words: module path,
// branch, version. A version without go.mod is one of the time before modules,
// or a toolchain.
func Load(tree fs.FS) (*Proxy, error) {
	modules := map[string]*Module{}
	p := New()
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		if name == "branches" {
			return p.loadBranches(string(data))
		}
		return loadFile(modules, name, string(data))
	})
	if err != nil {
		return nil, err
	}
	for dir, m := range modules {
		if err := p.Add(*m); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
	return p, nil
}

func loadFile(modules map[string]*Module, name, text string) error {
	at := strings.IndexByte(name, '@')
	if at < 0 {
		return fmt.Errorf("%s: not in a folder named MODULE@VERSION", name)
	}
	version, file, ok := strings.Cut(name[at+1:], "/")
	if !ok {
		return fmt.Errorf("%s: a file, not a folder", name)
	}
	dir := name[:at+1] + version
	m := modules[dir]
	if m == nil {
		m = &Module{Path: name[:at], Version: version, Files: map[string]string{}}
		modules[dir] = m
	}
	switch file {
	case "go.mod":
		m.Mod = text
	case ".info":
		m.Info = text
	default:
		m.Files[file] = text
	}
	return nil
}

func (p *Proxy) loadBranches(text string) error {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 {
			return fmt.Errorf("branches: %q is not MODULE BRANCH VERSION", strings.TrimSpace(line))
		}
		p.Branch(words[0], words[1], words[2])
	}
	return nil
}
