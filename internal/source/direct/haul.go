package direct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/direct/cage"
	"github.com/goweir/weir/internal/source/direct/clones"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// A haul is what one go command has brought.
type haul struct {
	text  []byte // a list, or the .info for a query
	small small
	zip   string // the file, within the cage

	cage   *cage.Cage // its files are there until all takers have their zip; nil: there are none
	takers atomic.Int32
}

// small are the small files of a version.
type small struct{ info, mod []byte }

// blob returns the .info or the .mod.
func (s small) blob(n artifact.Name) *blob.Blob {
	if n.Kind == artifact.Mod {
		return blob.FromBytes(blob.Info{}, s.mod)
	}
	return blob.FromBytes(blob.Info{}, s.info)
}

// share is told how many will call blob.
func (h *haul) share(takers int) {
	h.takers.Store(int32(takers))
	if takers == 0 {
		h.clear()
	}
}

// clear removes the files. What stays, by a fault of the disk, goes when the next
// process starts.
func (h *haul) clear() {
	if h.cage != nil {
		h.cage.Remove()
	}
}

// blob returns an artifact of the haul. Each taker calls it once.
func (h *haul) blob(n artifact.Name) (*blob.Blob, error) {
	defer func() {
		if h.takers.Add(-1) == 0 {
			h.clear()
		}
	}()
	switch n.Kind {
	case artifact.Zip:
		return openZip(h.zip)
	case artifact.Info, artifact.Mod:
		return h.small.blob(n), nil
	}
	return blob.FromBytes(blob.Info{}, h.text), nil
}

func openZip(name string) (*blob.Blob, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &blob.Blob{Info: blob.Info{Size: info.Size()}, Body: f}, nil
}

// bring lets the go command fetch an artifact. A clone that turns out to be
// broken is made anew, once.
func (s *Source) bring(ctx context.Context, r origin.Repository, n artifact.Name) (*haul, error) {
	if files, ok := s.remembered(n); ok { // since somebody else brought it just before
		return &haul{small: files}, nil
	}
	h, err := s.bringOnce(ctx, r, n)
	if errors.Is(err, errBrokenClone) {
		h, err = s.bringOnce(ctx, r, n)
	}
	return h, err
}

var errBrokenClone = errors.New("the clone of the repository is broken")

func (s *Source) bringOnce(ctx context.Context, r origin.Repository, n artifact.Name) (*haul, error) {
	k, err := s.clones.Use(r.Key())
	if err != nil {
		return nil, err
	}
	defer k.GiveBack()
	done, err := s.turn(ctx, k, r, n)
	if err != nil {
		return nil, err
	}
	defer done()
	c, err := s.cages.Build(ctx, k, n.Module, r)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var h *haul
	if r.VCS == "hg" {
		err = s.origin.Probe(ctx, r)
	}
	if err == nil {
		h, err = s.work(ctx, k, c, r, n)
	}
	if err != nil {
		return nil, errors.Join(err, c.Remove())
	}
	if h.zip == "" {
		return h, c.Remove()
	}
	return h, nil
}

// turn waits until a command may run for an artifact: a slot must be free, and
// unless it is for a zip, nobody else may be asking the same repository. So a
// .mod never waits for a zip, and what one question has fetched the next one
// finds.
func (s *Source) turn(ctx context.Context, k *clones.Clone, r origin.Repository, n artifact.Name) (done func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, errBusy)
	defer cancel()
	asked := func() {}
	if n.Kind != artifact.Zip {
		if asked, err = k.Ask(ctx); err != nil {
			return nil, err
		}
	}
	release, err := s.slots.Acquire(ctx, r.Location.Hostname())
	if err != nil {
		asked()
		return nil, err
	}
	return func() { release(); asked() }, nil
}

// work runs the go command for an artifact and takes in what it brings.
func (s *Source) work(ctx context.Context, k *clones.Clone, c *cage.Cage, r origin.Repository, n artifact.Name) (*haul, error) {
	if n.Kind == artifact.Zip {
		if err := c.KeepPacked(n); err != nil {
			return nil, err
		}
	}
	a, err := s.ask(ctx, k, c, r, arguments(n))
	if err != nil {
		return nil, err
	}
	h := &haul{cage: c}
	switch n.Kind {
	case artifact.List:
		h.text = a.list()
		return h, nil
	case artifact.Latest, artifact.Query:
		files, err := readSmall(c, n.Module, a.Version)
		h.text = files.info
		// That .info says how it was asked for, which is not how others do.
		s.remember(n.Module, a.Version, small{mod: files.mod})
		return h, err
	case artifact.Zip:
		h.zip = c.File(n)
	}
	h.small, err = readSmall(c, n.Module, n.Version)
	s.remember(n.Module, n.Version, h.small)
	return h, err
}

// readSmall reads the small files of a version.
func readSmall(c *cage.Cage, mod, version string) (files small, err error) {
	n := artifact.Name{Kind: artifact.Info, Module: mod, Version: version}
	if files.info, err = os.ReadFile(c.File(n)); err != nil {
		return small{}, err
	}
	files.mod, err = os.ReadFile(c.File(n.Sibling(artifact.Mod)))
	return files, err
}

// remember keeps small files of a version for those who ask for them next.
func (s *Source) remember(mod, version string, files small) {
	if len(files.info)+len(files.mod) <= maxRemembered {
		s.versions.Put(module.Version{Path: mod, Version: version}, files)
	}
}

// remembered returns the small files of a version, if the one that is asked for
// has just been brought.
func (s *Source) remembered(n artifact.Name) (small, bool) {
	files, ok := s.versions.Get(module.Version{Path: n.Module, Version: n.Version})
	return files, ok && (n.Kind == artifact.Info && files.info != nil || n.Kind == artifact.Mod && files.mod != nil)
}

// maxRemembered bounds the size of what is remembered, in bytes.
const maxRemembered = 256 << 10

// arguments returns those of the go command that brings an artifact.
// Neither a module path nor a version that [artifact.Parse] lets pass begins
// with a dash.
func arguments(n artifact.Name) []string {
	switch n.Kind {
	case artifact.List:
		return []string{"list", "-m", "-e", "-json", "-versions", "-retracted", "--", n.Module}
	case artifact.Latest:
		return []string{"list", "-m", "-e", "-json", "--", n.Module + "@latest"}
	case artifact.Zip:
		return []string{"mod", "download", "-json", "--", n.Module + "@" + n.Version}
	}
	return []string{"list", "-m", "-e", "-json", "--", n.Module + "@" + n.Version}
}

// ask lets the go command answer.
func (s *Source) ask(ctx context.Context, k *clones.Clone, c *cage.Cage, r origin.Repository, args []string) (answer, error) {
	stdout, stderr, err := c.Run(ctx, args...)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return answer{}, err
	}
	a, problem := parseAnswer(stdout, stderr, err)
	switch {
	case problem == "" && r.VCS == "hg": // whose failures the go command conceals
		return a, c.Refused()
	case problem == "":
		return a, nil
	case containsAny(problem, brokenClone):
		k.GiveUp()
		return answer{}, fmt.Errorf("%w: %w", errBrokenClone, s.explain(ctx, c, r, problem))
	}
	return answer{}, s.explain(ctx, c, r, problem)
}

// An answer is what the go command says of a module, in JSON.
type answer struct {
	Version  string
	Versions []string
	Error    json.RawMessage
}

// parseAnswer returns the answer, or the problem that the go command has.
func parseAnswer(stdout, stderr string, err error) (a answer, problem string) {
	parseErr := json.Unmarshal([]byte(stdout), &a)
	switch {
	case parseErr == nil && len(a.Error) > 0:
		return a, a.problem()
	case parseErr == nil && err == nil:
		return a, ""
	case strings.TrimSpace(stderr) != "":
		return a, stderr
	}
	return a, "the go command failed without a word"
}

// problem returns the text of the error: "go mod download" has it as it is,
// "go list" within an object.
func (a answer) problem() string {
	var text string
	if json.Unmarshal(a.Error, &text) == nil {
		return text
	}
	var object struct{ Err string }
	json.Unmarshal(a.Error, &object) // what is neither shows nothing
	return object.Err
}

// list returns the version list.
func (a answer) list() []byte {
	var b strings.Builder
	for _, v := range a.Versions {
		b.WriteString(v + "\n")
	}
	return []byte(b.String())
}
