package modsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/client/gocmd"
	"github.com/goweir/weir/internal/source"
)

// vcs brings modules from version control, by the go command and with what the user's
// git knows. What it fetches, the go command keeps in its module cache.
type vcs struct{}

// The settings under which the go command asks nobody but version control, and looks at
// no go.mod.
var directly = []string{"GOPROXY=direct", "GO111MODULE=on", "GOWORK=off", "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local"}

func (v vcs) source() source.Source { return source.Func(v.fetch) }

// answer is what the go command says of a module, as far as it matters here.
type answer struct {
	Version  string
	Versions []string
	Time     time.Time
	GoMod    string // file
	Zip      string // file
	Error    gocmd.Problem
}

// arguments are the command line that brings an artifact.
func arguments(n artifact.Name) []string {
	switch n.Kind {
	case artifact.List:
		return []string{"list", "-m", "-e", "-json", "-versions", "--", n.Module}
	case artifact.Latest:
		return []string{"list", "-m", "-e", "-json", "--", n.Module + "@latest"}
	case artifact.Zip:
		return []string{"mod", "download", "-json", "--", n.Module + "@" + n.Version}
	}
	return []string{"list", "-m", "-e", "-json", "--", n.Module + "@" + n.Version}
}

func (v vcs) fetch(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	if n.Kind.IsSum() {
		return nil, artifact.NotFound("version control has no checksum database")
	}
	out, err := gocmd.Command{Dir: os.TempDir(), Env: directly}.Run(ctx, arguments(n)...)
	failed, ran := errors.AsType[*gocmd.Error](err)
	if err != nil && !ran {
		return nil, err
	}
	var a answer
	if json.Unmarshal(out, &a) != nil && failed == nil {
		return nil, fmt.Errorf("%s: the go command said something else than JSON", n)
	}
	switch {
	case a.Error != "":
		return nil, trouble(n, string(a.Error))
	case failed != nil:
		return nil, trouble(n, failed.Stderr)
	}
	return a.blob(n)
}

// absent are pieces of what the go command says of what does not exist.
var absent = []string{"unknown revision", "no matching versions", "no go-import meta tags"}

// trouble is the error for what the go command complains about.
func trouble(n artifact.Name, text string) error {
	text = artifact.Clean(text, 600)
	for _, piece := range absent {
		if strings.Contains(text, piece) {
			return artifact.NotFound("%s is not in version control: %s", n, text)
		}
	}
	return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("%s cannot be had from version control: %s", n, text)}
}

// blob is the artifact that was asked for.
func (a answer) blob(n artifact.Name) (*blob.Blob, error) {
	switch n.Kind {
	case artifact.List:
		return inMemory([]byte(strings.Join(append(a.Versions, ""), "\n"))), nil
	case artifact.Mod:
		return file(n, a.GoMod)
	case artifact.Zip:
		return file(n, a.Zip)
	}
	data, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{a.Version, a.Time})
	return inMemory(data), err
}

func inMemory(data []byte) *blob.Blob { return blob.FromBytes(blob.Info{Size: int64(len(data))}, data) }

// file is an artifact in the module cache of the go command.
func file(n artifact.Name, name string) (*blob.Blob, error) {
	if name == "" {
		return nil, fmt.Errorf("%s: the go command did not say where it is", n)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	stat, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &blob.Blob{Info: blob.Info{Size: stat.Size(), Time: stat.ModTime()}, Body: f}, nil
}
