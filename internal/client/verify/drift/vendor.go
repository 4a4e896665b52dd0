package drift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/goweir/weir/internal/client/gocmd"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/client/verify/modfiles"
)

// maxVendored is how many vendored files that are wrong are reported one by one.
const maxVendored = 100

// checkVendor compares the folder vendor with what the go command would put there.
func (r *run) checkVendor(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(r.Root, "vendor", "modules.txt")); err != nil {
		return nil
	}
	r.Progress("go list -mod=vendor")
	_, err := r.goRun(ctx, r.command(r.Root), "list", "-mod=vendor", "-e", "-f", "{{with false}}{{end}}", "./...")
	if e, ok := errors.AsType[*gocmd.Error](err); ok && strings.Contains(e.Stderr, "inconsistent vendoring") {
		return r.outOfStep(e.Stderr)
	}
	if err != nil && !strings.Contains(err.Error(), "matched no packages") {
		r.notAsked("vendor/modules.txt", "whether vendor/modules.txt is in step", err)
		return nil
	}
	r.Progress("go mod vendor, to compare")
	return r.compareVendored(ctx)
}

// outOfStep reports each contradiction that the go command finds, which it prints one in
// a line, as in "\texample.com/x@v1.0.0: is explicitly required in go.mod, but …".
func (r *run) outOfStep(stderr string) error {
	modules, err := modfiles.ReadFile(filepath.Join(r.Root, "vendor", "modules.txt"))
	if err != nil {
		return err
	}
	for text := range strings.Lines(stderr) {
		what, problem, ok := strings.Cut(strings.TrimSpace(text), ": is ")
		if !ok || !strings.HasPrefix(text, "\t") {
			continue
		}
		path, version, _ := strings.Cut(what, "@")
		f := finding.New(finding.VendorOutOfStep, "vendor/modules.txt", lineWith(modules, "# "+path+" "), "%s is %s", what, problem)
		f.Module, f.Version = path, version
		r.add(f)
	}
	return nil
}

// lineWith is the number of the first line that begins with a text, or 1.
func lineWith(data []byte, prefix string) int {
	at := 0
	for text := range bytes.Lines(data) {
		at++
		if bytes.HasPrefix(text, []byte(prefix)) {
			return at
		}
	}
	return 1
}

// compareVendored has the go command vendor into a temporary folder, with copies of the
// files that it may change, and compares.
func (r *run) compareVendored(ctx context.Context) error {
	tmp, err := os.MkdirTemp("", "weir-verify-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	want := filepath.Join(tmp, "vendor")
	if r.Work != nil {
		err = r.vendorWorkspace(ctx, tmp, want)
	} else {
		err = r.vendorModule(ctx, tmp, want)
	}
	if _, ok := errors.AsType[*gocmd.Error](err); ok || errors.Is(err, context.DeadlineExceeded) {
		r.notAsked("vendor/modules.txt", "whether the vendored files are those of the modules", err)
		return nil
	}
	if err != nil {
		return err
	}
	return r.compareTrees(filepath.Join(r.Root, "vendor"), want)
}

func (r *run) vendorModule(ctx context.Context, tmp, want string) error {
	m := r.Members[0]
	mod, err := modfiles.ReadFile(filepath.Join(m.Dir, "go.mod"))
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(filepath.Join(tmp, "go.mod"), mod, 0o600), os.WriteFile(filepath.Join(tmp, "go.sum"), m.Sums.Data, 0o600))
	if err != nil {
		return err
	}
	_, err = r.goRun(ctx, r.command(m.Dir), "mod", "vendor", "-modfile="+filepath.Join(tmp, "go.mod"), "-o", want)
	return err
}

// vendorWorkspace uses a go.work elsewhere, with absolute paths.
func (r *run) vendorWorkspace(ctx context.Context, tmp, want string) error {
	data, err := modfiles.ReadFile(r.Abs(r.Work.Name))
	if err != nil {
		return err
	}
	work, err := modfile.ParseWork(r.Work.Name, data, modfiles.AsWritten)
	if err != nil {
		return err
	}
	for _, use := range slices.Clone(work.Use) {
		path, module := use.Path, use.ModulePath // dropping it clears it
		if err := errors.Join(work.DropUse(path), work.AddUse(r.absolute(path), module)); err != nil {
			return err
		}
	}
	for _, replace := range slices.Clone(work.Replace) {
		if replace.New.Version != "" {
			continue
		}
		if err := work.AddReplace(replace.Old.Path, replace.Old.Version, r.absolute(replace.New.Path), ""); err != nil {
			return err
		}
	}
	work.Cleanup()
	name := filepath.Join(tmp, "go.work")
	err = errors.Join(os.WriteFile(name, modfile.Format(work.Syntax), 0o600), os.WriteFile(name+".sum", r.Work.Sums.Data, 0o600))
	if err != nil {
		return err
	}
	_, err = r.goRun(ctx, r.command(r.Root, "GOWORK="+name), "work", "vendor", "-o", want)
	return err
}

func (r *run) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.Root, filepath.FromSlash(path))
}

// compareTrees reports files of vendor that are not as they should be.
func (r *run) compareTrees(have, want string) error {
	haveFiles, err := filesIn(have)
	if err != nil {
		return err
	}
	wantFiles, err := filesIn(want)
	if err != nil {
		return err
	}
	var wrong []finding.Finding
	report := func(name, problem string) {
		wrong = append(wrong, finding.New(finding.VendorChanged, "vendor/"+name, 1, "vendor/%s %s", name, problem))
	}
	for _, name := range haveFiles {
		if _, ok := slices.BinarySearch(wantFiles, name); !ok {
			report(name, "is in no package that go mod vendor copies")
			continue
		}
		// In a workspace, paths in modules.txt depend on where go.work is; that it is in
		// step has been seen already.
		if name == "modules.txt" && r.Work != nil {
			continue
		}
		same, err := sameFile(filepath.Join(have, name), filepath.Join(want, name))
		if err != nil {
			return err
		}
		if !same {
			report(name, "is not what the module has")
		}
	}
	for _, name := range wantFiles {
		if _, ok := slices.BinarySearch(haveFiles, name); !ok {
			report(name, "is missing")
		}
	}
	if len(wrong) > maxVendored {
		more := finding.New(finding.VendorChanged, "vendor/modules.txt", 1, "%d more files in vendor are not those of the modules", len(wrong)-maxVendored)
		wrong = append(wrong[:maxVendored], more)
	}
	r.add(wrong...)
	return nil
}

// filesIn are the files below a folder, with slashes, in order. There may be no folder.
func filesIn(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == dir {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(names)
	return names, err
}

// sameFile compares two files. What is no regular file is not the same as one.
func sameFile(a, b string) (bool, error) {
	infoA, err := os.Lstat(a)
	if err != nil {
		return false, err
	}
	infoB, err := os.Lstat(b)
	if err != nil {
		return false, err
	}
	if !infoA.Mode().IsRegular() || infoA.Size() != infoB.Size() {
		return false, nil
	}
	dataA, err := readAll(a)
	if err != nil {
		return false, err
	}
	dataB, err := readAll(b)
	return bytes.Equal(dataA, dataB), err
}

// readAll reads a vendored file, which is part of a zip of at most 500 MB.
func readAll(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 500<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
