package cage

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/source/direct/clones"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// Options are the settings of a Keeper.
type Options struct {
	// Dir is the folder for workspaces, an absolute path. One Keeper has it for itself:
	// what is there when it begins is removed, and so is everything at its end.
	Dir string
	// Go is the go command; empty: the one in PATH, or of GOROOT.
	Go  string
	VCS []string // the version control systems that are allowed

	Timeout time.Duration // for one command
	MaxDisk int64         // bytes that one command may add

	Dialer      egress.Dialer     // makes the connections of commands
	Transport   http.RoundTripper // and those for plain http
	Credentials credential.Finder // nil: none
	CAFile      string            // certificates of authorities, in PEM; empty: those of the system
}

// A Keeper makes cages. It is safe for concurrent use.
type Keeper struct {
	o     Options
	tool  string // the go command
	git   string // the one that the go command runs
	path  string // PATH of commands
	cwd   string // the folder commands run in; empty: that of their workspace
	proxy *proxy
}

// Open returns a Keeper, and removes what an earlier one in the same folder has left.
// Errors name what is missing on this machine.
func Open(o Options) (*Keeper, error) {
	k := &Keeper{o: o}
	err := k.findCommands()
	if err == nil {
		err = errors.Join(os.RemoveAll(o.Dir), os.MkdirAll(o.Dir, 0o700))
	}
	if err == nil {
		k.cwd, err = outsideModules(o.Dir)
	}
	if err == nil {
		k.proxy, err = startProxy(o.Dialer, o.Transport)
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Close ends what commands may reach and removes their workspaces. Nothing may run any
// more.
func (k *Keeper) Close() error {
	return errors.Join(k.proxy.Close(), os.RemoveAll(k.o.Dir))
}

// outsideModules returns the folder to run the go command in, if the one of its
// workspace will not do since it lies within somebody's module, whose go.mod
// would count.
func outsideModules(runs string) (string, error) {
	for dir := runs; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
	root := filepath.VolumeName(runs) + string(filepath.Separator)
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
		return "", errors.New("the root folder of this machine has a go.mod, which the go command would take for the module it works on")
	}
	return root, nil
}

// Build builds the cage for work on a module in a repository, around the clone of that.
// Its ways out end with ctx at the latest. The caller closes and removes it.
func (k *Keeper) Build(ctx context.Context, clone *clones.Clone, mod string, r origin.Repository) (*Cage, error) {
	w, err := newWorkspace(k.o.Dir, clone.Dir())
	if err != nil {
		return nil, err
	}
	c := &Cage{workspace: w, keeper: k, clone: clone, repository: r, toGo: newPass(), toVCS: newPass()}
	c.toGo.page = r.Page()
	toGo, toVCS := k.proxy.show(c.toGo), k.proxy.show(c.toVCS)
	c.env = append(k.goEnv(w, mod, r), "HTTP_PROXY="+toGo, "HTTPS_PROXY="+toGo)
	var more []string
	if r.VCS == "hg" {
		more, err = k.hgEnv(c, r, toVCS)
	} else {
		more, err = k.gitEnv(ctx, c, r, toVCS)
	}
	if err != nil {
		return nil, errors.Join(err, w.Remove())
	}
	c.env = append(c.env, more...)
	k.proxy.issue(ctx, c.toGo)
	k.proxy.issue(ctx, c.toVCS)
	return c, nil
}
