// Package direct fetches modules straight from version control.
//
// A [Source] brings what the go command would bring with GOPROXY=direct, since
// the go command is what fetches: the same versions, the same .info and .mod,
// and zips with the same hash. It promises that
//
//   - where the repository of a module is, is found out here; the go command is
//     told (package origin);
//   - it and version control run in a cage, from which they reach that one place,
//     and that only if the [egress.Guard] allows the very address that is
//     connected to (package cage);
//   - credentials get to the host they are for and to no other, are on no
//     command line, and in no error;
//   - clones are kept, within a bound, and shared by all versions of a
//     repository, so that a further version costs what it adds, and a version
//     list one question (package clones), with another one now and then, by which
//     it is seen that tags have moved ([blob.Blob.Refs]);
//   - equal work is done once for all who want it (package share), and a host that
//     hangs holds up nobody who wants something from another one (package limit);
//   - only proven absence is ErrNotFound. What is not proven, such as a host
//     that wants credentials, is trouble. With Mercurial, whose failures the
//     go command conceals, this holds as far as the host has just answered.
//
// It refuses modules whose host is an address or this machine, repositories by
// other schemes than https and, for git, ssh, and version control that has not
// been allowed. It keeps no artifact for longer than a minute and runs on
// systems that have process groups and symbolic links; elsewhere it builds.
//
// Sources: the Go Modules Reference, "Module proxies" and "Version control
// systems"; cmd/go/internal/modfetch and cmd/go/internal/vcs.
package direct

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/limit"
	"github.com/goweir/weir/internal/recent"
	"github.com/goweir/weir/internal/source/direct/cage"
	"github.com/goweir/weir/internal/source/direct/clones"
	"github.com/goweir/weir/internal/source/direct/origin"
	"github.com/goweir/weir/internal/source/direct/share"
)

// Options are the settings of a Source. For numbers that are zero there are
// defaults.
type Options struct {
	// Dir is the folder for clones and workspaces. One Source has it for
	// itself. It is created if need be, for its owner only.
	Dir string
	// Go is the go command; empty: the one in PATH, or of GOROOT. It must be
	// go1.26.6 or newer, since older ones can be made to accept wrong checksums.
	Go string
	// VCS are the version control systems that are allowed: git, which is the
	// default, and hg, which gets no credentials. The others cannot be kept to
	// one address.
	VCS []string

	MaxProcesses int           // go commands at one time; default 4
	MaxFetches   int           // at one time, those that wait for a go command included; more are ErrUnavailable; default 128
	CacheSize    int64         // bytes that all clones may have together; default 10 GiB
	MaxDisk      int64         // bytes that one fetch may add; default 2 GiB
	Timeout      time.Duration // for one go command, and again for waiting for it; default 5 min

	Guard       *egress.Guard     // which addresses may be reached; nil: public ones
	Credentials credential.Finder // nil: none
	UserAgent   string            // for requests to hosts of modules; default "weir"
	// CAFile has the certificates of the authorities to trust, in PEM; empty:
	// those of the system.
	CAFile string
	// Proxy says which HTTP proxy is on the way to a URL, such as
	// [http.ProxyFromEnvironment] does; nil: none is. With one on the way it is the
	// proxy that connects, so that only names can be checked, and the addresses that
	// they have here. Repositories behind ssh are reached without it.
	Proxy func(*url.URL) (*url.URL, error)

	// resolve and lookup are those of the [egress.Dialer], for tests.
	resolve func(hostport string) string
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
}

func (o Options) withDefaults() Options {
	o.MaxProcesses = cmp.Or(o.MaxProcesses, 4)
	o.MaxFetches = cmp.Or(o.MaxFetches, 128)
	o.CacheSize = cmp.Or(o.CacheSize, 10<<30)
	o.MaxDisk = cmp.Or(o.MaxDisk, 2<<30)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Minute)
	o.UserAgent = cmp.Or(o.UserAgent, "weir")
	if len(o.VCS) == 0 {
		o.VCS = []string{"git"}
	}
	return o
}

// A Source fetches modules from version control. It is safe for concurrent use.
type Source struct {
	o Options

	transport *http.Transport
	origin    *origin.Client
	cages     *cage.Keeper
	clones    *clones.Cache
	slots     *limit.Fair // of go commands, by host of the repository

	repositories *recent.Memory[string, origin.Repository]
	versions     *recent.Memory[module.Version, small]
	refsAsked    *recent.Memory[string, struct{}] // by module
	locating     *share.Flights[origin.Repository]
	hauling      *share.Flights[*haul]

	ctx    context.Context // of all work
	cancel context.CancelCauseFunc
	going  sync.WaitGroup // of all work, and of those who wait for it

	gate    sync.Mutex      // held to add to going, while ctx lives
	fetches *limit.InFlight // by host of the module
}

// How many answers are remembered, and for how long: about as long as one build asks
// for a module, and for the .info and the .mod of a version one after the other.
const (
	rememberedRepositories = 4096
	repositoryAge          = time.Minute
	rememberedVersions     = 512
	versionAge             = time.Minute
)

// New returns a Source, and removes what an earlier one in the same folder has
// left unfinished. Nothing is fetched yet. Errors name what is missing on this
// machine, or which setting is wrong.
func New(o Options) (*Source, error) {
	s := &Source{o: o.withDefaults()}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("direct: %w", err)
	}
	// Nobody ever gets the last slot of several, so that a host that hangs holds up
	// nobody who waits for another.
	s.slots = limit.NewFair(limit.Turns{Slots: s.o.MaxProcesses, PerKey: max(1, s.o.MaxProcesses-1)})
	s.fetches = limit.NewInFlight(s.o.MaxFetches, max(1, s.o.MaxFetches*3/4)) // one host gets three quarters at most
	s.repositories = recent.New[string, origin.Repository](rememberedRepositories)
	s.versions = recent.New[module.Version, small](rememberedVersions)
	s.refsAsked = recent.New[string, struct{}](rememberedRepositories)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.locating = share.NewFlights[origin.Repository](s.ctx, &s.going, nil)
	s.hauling = share.NewFlights(s.ctx, &s.going, (*haul).share)
	return s, nil
}

// open makes what a Source works with, and sweeps what a crash has left.
func (s *Source) open() error {
	dir, err := filepath.Abs(s.o.Dir)
	if err != nil {
		return err
	}
	s.o.Dir = dir
	roots, err := readRoots(s.o.CAFile)
	if err != nil {
		return err
	}
	dialer := egress.Dialer{Guard: s.o.Guard, Proxy: s.o.Proxy, TLS: &tls.Config{RootCAs: roots}, Resolve: s.o.resolve, Lookup: s.o.lookup}
	s.transport = newTransport(dialer, roots)
	s.origin = origin.New(origin.Options{
		Transport: s.transport, Guard: s.o.Guard, VCS: s.o.VCS, Credentials: s.o.Credentials, UserAgent: s.o.UserAgent, Timeout: s.o.Timeout,
	})
	runs := filepath.Join(dir, "run")
	s.cages, err = cage.Open(cage.Options{
		Dir: runs, Go: s.o.Go, VCS: s.o.VCS, Timeout: s.o.Timeout, MaxDisk: s.o.MaxDisk,
		Dialer: dialer, Transport: s.transport, Credentials: s.o.Credentials, CAFile: s.o.CAFile,
	})
	if err != nil {
		return err
	}
	if s.clones, err = clones.Open(filepath.Join(dir, "clones"), runs, s.o.CacheSize); err != nil {
		return errors.Join(err, s.cages.Close())
	}
	return nil
}

// Close kills all commands, removes their workspaces and waits for that. Bodies
// that have been handed over can be read to their end.
func (s *Source) Close() error {
	s.gate.Lock()
	s.cancel(errClosed)
	s.gate.Unlock()
	s.going.Wait()
	s.transport.CloseIdleConnections()
	return s.cages.Close()
}

// Fetch implements source.Source. Nothing of a checksum database is found. The
// body of a zip is an *os.File.
func (s *Source) Fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := checkName(n); err != nil {
		return nil, err
	}
	if files, ok := s.remembered(n); ok {
		return files.blob(n), nil
	}
	leave, err := s.enter(n.Module)
	if err != nil {
		return nil, err
	}
	defer leave()
	r, err := s.locate(ctx, n.Module)
	if err != nil {
		return nil, err
	}
	if r.VCS == "mod" {
		return s.origin.Fetch(ctx, r, n)
	}
	h, err := s.hauling.Join(ctx, workOf(n), func(ctx context.Context) (*haul, error) { return s.bring(ctx, r, n) })
	if err != nil {
		return nil, ours(err)
	}
	b, err := h.blob(n)
	return b, ours(err)
}

// locate finds out where the code of a module is, and whether it may be fetched.
func (s *Source) locate(ctx context.Context, mod string) (origin.Repository, error) {
	if r, ok := s.repositories.Get(mod); ok {
		return r, nil
	}
	return s.locating.Join(ctx, mod, func(ctx context.Context) (origin.Repository, error) {
		r, err := s.origin.Find(ctx, mod)
		if err == nil {
			s.repositories.Put(mod, r, time.Now().Add(repositoryAge))
		}
		return r, err
	})
}

// ours gives errors of this machine, such as a full disk, their class.
func ours(err error) error {
	if err == nil || artifact.Class(err) != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &artifact.Error{Class: artifact.ErrUnavailable, Reason: "this proxy cannot fetch from version control now", Err: err}
}

// checkName refuses what must not get to any command, whoever made the name.
func checkName(n artifact.Name) error {
	parsed, err := artifact.Parse(n.Key())
	if err != nil {
		return err
	}
	if n.Kind.IsSum() || parsed != n {
		return artifact.NotFound("%s is nothing that version control has", n)
	}
	return nil
}

// workOf names the work that an artifact takes. An .info and a .mod are the
// same work.
func workOf(n artifact.Name) string {
	if n.Kind == artifact.Mod {
		n.Kind = artifact.Info
	}
	return n.Key()
}

// busyRetry is when those may come again for whom there is no room.
const busyRetry = 10 * time.Second

// enter counts a fetch in, while there is room for it.
func (s *Source) enter(mod string) (leave func(), err error) {
	host, _, _ := strings.Cut(mod, "/")
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.ctx.Err() != nil {
		return nil, errClosed
	}
	release, ok := s.fetches.Acquire(host)
	if !ok {
		return nil, errBusy
	}
	s.going.Add(1)
	return func() { release(); s.going.Done() }, nil
}

var errClosed = &artifact.Error{Class: artifact.ErrUnavailable, Reason: "this proxy is shutting down", RetryAfter: busyRetry}

var errBusy = &artifact.Error{Class: artifact.ErrUnavailable, Reason: "too much is being fetched from version control", Hint: "try again later", RetryAfter: busyRetry}
