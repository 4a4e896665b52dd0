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
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/command"
	"github.com/goweir/weir/internal/source/direct/clones"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// A haul is what one go command has brought.
type haul struct {
	text  []byte // a list, or the .info for a query
	small small
	zip   string // the file, within the workspace

	workspace workspace // is there until all takers have their zip
	takers    atomic.Int32
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
		h.workspace.remove()
	}
}

// blob returns an artifact of the haul. Each taker calls it once.
func (h *haul) blob(n artifact.Name) (*blob.Blob, error) {
	defer func() {
		if h.takers.Add(-1) == 0 {
			h.workspace.remove() // what stays, by a fault of the disk, goes when the next process starts
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
	c, err := s.newCage(ctx, k, n.Module, r)
	if err != nil {
		return nil, err
	}
	defer s.end(c)
	var h *haul
	if r.VCS == "hg" {
		err = s.origin.Probe(ctx, r)
	}
	if err == nil {
		h, err = s.work(ctx, k, c, r, n)
	}
	if err != nil {
		return nil, errors.Join(err, c.remove())
	}
	if h.zip == "" {
		return h, c.remove()
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
func (s *Source) work(ctx context.Context, k *clones.Clone, c *cage, r origin.Repository, n artifact.Name) (*haul, error) {
	if n.Kind == artifact.Zip {
		if err := c.keepPacked(n); err != nil {
			return nil, err
		}
	}
	a, err := s.runGo(ctx, k, c, r, arguments(n))
	if err != nil {
		return nil, err
	}
	h := &haul{workspace: c.workspace}
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
		h.zip = c.file(n)
	}
	h.small, err = readSmall(c, n.Module, n.Version)
	s.remember(n.Module, n.Version, h.small)
	return h, err
}

// readSmall reads the small files of a version.
func readSmall(c *cage, mod, version string) (files small, err error) {
	n := artifact.Name{Kind: artifact.Info, Module: mod, Version: version}
	if files.info, err = os.ReadFile(c.file(n)); err != nil {
		return small{}, err
	}
	files.mod, err = os.ReadFile(c.file(n.Sibling(artifact.Mod)))
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

// command returns the arguments of the go command that brings an artifact.
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

// runGo runs the go command within bounds of time and disk.
func (s *Source) runGo(ctx context.Context, k *clones.Clone, c *cage, r origin.Repository, args []string) (answer, error) {
	late := &artifact.Error{Class: artifact.ErrTimeout, Reason: fmt.Sprintf("fetch timed out: the repository of %s took longer than %s", r.Prefix, s.o.Timeout)}
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, late)
	defer cancel()
	watched, stop := s.watchDisk(ctx, k, c, r)
	dir := s.cwd
	if dir == "" {
		dir = c.work()
	}
	stdout, stderr, err := command.Run(watched, command.Command{Path: s.goTool, Args: args, Dir: dir, Env: c.env})
	stop()
	if watched.Err() != nil {
		k.Killed()
		return answer{}, context.Cause(watched)
	}
	if errors.Is(err, command.ErrTooLong) {
		return answer{}, &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("the repository of %s has more to list than %d bytes", r.Prefix, command.MaxStdout)}
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return answer{}, err
	}
	a, problem := parseAnswer(stdout, stderr, err)
	switch {
	case problem == "" && r.VCS == "hg": // whose failures the go command conceals
		return a, c.toVCS.trouble()
	case problem == "":
		return a, nil
	case containsAny(problem, brokenClone):
		k.GiveUp()
		return answer{}, fmt.Errorf("%w: %w", errBrokenClone, s.explain(ctx, c, r, problem))
	}
	return answer{}, s.explain(ctx, c, r, problem)
}

// diskInterval is how often the disk space of a command is looked at.
const diskInterval = 500 * time.Millisecond

// watchDisk returns a context that ends when a command takes more disk space
// than it may. stop ends the watch and waits for it.
func (s *Source) watchDisk(ctx context.Context, k *clones.Clone, c *cage, r origin.Repository) (watched context.Context, stop func()) {
	before := clones.Size(k.Dir())
	watched, cancel := context.WithCancelCause(ctx)
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(diskInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stopped:
				return
			}
			if clones.Size(k.Dir())+clones.Size(c.dir)-before > s.o.MaxDisk {
				cancel(&artifact.Error{Class: artifact.ErrForbidden, Reason: fmt.Sprintf("the repository of %s takes more disk space than the %d bytes it may", r.Prefix, s.o.MaxDisk)})
			}
		}
	}()
	return watched, func() { close(stopped); <-done }
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
