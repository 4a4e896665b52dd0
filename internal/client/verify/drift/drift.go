// Package drift has the go command say in what a project has drifted from what it would
// write: what go mod tidy would change, whether a build works that may change nothing, and
// which files of vendor are not those of the modules.
//
// It promises that the project is never changed: what the go command writes, it writes to
// a temporary folder; that no setting has it change or pass over something; and that
// whatever it could not do is a finding.
//
// Sources: the Go Modules Reference, "Vendoring"; cmd/go/internal/modcmd/tidy.go;
// cmd/go/internal/modload/vendor.go.
package drift

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goweir/weir/internal/client/gocmd"
	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/client/verify/modfiles"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/gosum"
)

// Options are what Find works with.
type Options struct {
	Env      *goenv.Env // the settings of the go command
	Offline  bool       // nothing is asked of the network
	Progress func(what string)
}

// A run is one look at a project.
type run struct {
	Options
	*modfiles.Project
	findings []finding.Finding
}

// Find has the go command judge what it would change, and whether it can build without
// changing anything. It stops at the first wrong line of go.sum: whoever knows of one need
// not ask. The error is one of the disk, or the cause of the end of ctx.
func Find(ctx context.Context, p *modfiles.Project, o Options) ([]finding.Finding, error) {
	r := &run{Options: o, Project: p}
	for _, m := range p.Members {
		r.Progress("go mod tidy -diff in " + m.Dir)
		r.askTidy(ctx, m)
		r.Progress("go list -mod=readonly in " + m.Dir)
		r.askList(ctx, m)
	}
	if err := r.checkVendor(ctx); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return r.findings, nil
}

func (r *run) add(findings ...finding.Finding) { r.findings = append(r.findings, findings...) }

// command is the go command in a folder. It does not look at flags that would have it
// change or pass over something, and offline it asks nobody.
func (r *run) command(dir string, env ...string) gocmd.Command {
	env = append(env, "GOFLAGS="+harmless(r.Env.Value("GOFLAGS")))
	if r.Offline {
		env = append(env, "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local")
	}
	return gocmd.Command{Dir: dir, Env: env}
}

// harmless is a value of GOFLAGS without the flags that say which go.mod counts, and
// whether it may change.
func harmless(goflags string) string {
	words, err := goenv.Words(goflags)
	if err != nil {
		return goflags // with which the go command refuses all work
	}
	words = slices.DeleteFunc(words, func(word string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		return name == "mod" || name == "modfile"
	})
	if len(words) == 0 {
		return "-buildvcs=auto" // the default: empty, the variable would hide nothing of a file
	}
	return goenv.Joined(words)
}

// goTimeout bounds one run of the go command, which may have to download all modules.
const goTimeout = 15 * time.Minute

// goRun runs the go command.
func (r *run) goRun(ctx context.Context, c gocmd.Command, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, goTimeout, fmt.Errorf("go %s took longer than %v: %w", args[0], goTimeout, context.DeadlineExceeded))
	defer cancel()
	return c.Run(ctx, args...)
}

// notAsked notes that the go command could not do something.
func (r *run) notAsked(file, what string, err error) {
	text := err.Error()
	if e, ok := errors.AsType[*gocmd.Error](err); ok {
		text = complaints(e.Stderr)
	}
	f := finding.New(finding.NotChecked, file, 1, "%s: %s", what, finding.Shown(text))
	if r.Offline {
		f.Severity, f.Hint = finding.Warning, "run it without --offline, or after go mod download"
	}
	r.add(f)
}

// complaints is what the go command says but for what it does in the meantime.
func complaints(stderr string) string {
	var all []string
	for text := range strings.Lines(stderr) {
		if !strings.HasPrefix(text, "go: downloading ") {
			all = append(all, text)
		}
	}
	return strings.Join(all, "")
}

// askTidy reports what go mod tidy would change.
func (r *run) askTidy(ctx context.Context, m *modfiles.Member) {
	out, err := r.goRun(ctx, r.command(m.Dir), "mod", "tidy", "-diff")
	if err != nil && !bytes.HasPrefix(out, []byte("diff ")) {
		r.notAsked(m.Name, "whether go mod tidy would change something", err)
		return
	}
	for _, c := range parseDiff(out) {
		text := strings.TrimSpace(c.text)
		if text == "" || text == ")" || text == "require (" {
			continue
		}
		r.add(r.untidy(m, c, text))
	}
}

// untidy is the finding for one changed line.
func (r *run) untidy(m *modfiles.Member, c change, text string) finding.Finding {
	verb := "remove"
	if c.added {
		verb = "add"
	}
	if c.file != "go.sum" {
		return finding.New(finding.GomodUntidy, m.Name, c.at, "go mod tidy would %s: %s", verb, text)
	}
	rule := finding.GosumUnused
	if c.added {
		rule = finding.GosumMissing
	}
	f := finding.New(rule, m.Sums.Name, c.at, "go mod tidy would %s: %s", verb, text)
	if l, err := gosum.Parse(text); err == nil {
		f.Module, f.Version = l.Module.Path, l.Module.Version
	}
	return f
}

// lockMessages are pieces of what the go command says when go.mod or go.sum would have
// to be changed. Everything else that it complains about is no matter of these.
//
// Sources: cmd/go/internal/modload, import.go and init.go; cmd/go/internal/modfetch.
var lockMessages = []string{
	"missing go.sum entry", "updates to go.mod needed", "updates to go.sum needed", "no required module provides package",
	"cannot find module providing package", "but does not contain package", "is replaced but not required", "go.mod file indicates", "requires go >=", "ambiguous import",
}

func isLockMessage(text string) bool {
	return slices.ContainsFunc(lockMessages, func(piece string) bool { return strings.Contains(text, piece) })
}

// askList reports what would keep a build from working that may change nothing.
func (r *run) askList(ctx context.Context, m *modfiles.Member) {
	out, err := r.goRun(ctx, r.command(m.Dir), "list", "-mod=readonly", "-e", "-deps", "-test", "-json=Dir,Error", "./...")
	if e, ok := errors.AsType[*gocmd.Error](err); ok && isLockMessage(e.Stderr) {
		r.add(finding.New(finding.Readonly, m.Name, 1, "%s", finding.Shown(strings.TrimPrefix(complaints(e.Stderr), "go: "))))
		return
	}
	if err != nil {
		r.notAsked(m.Name, "whether a build with -mod=readonly works", err)
		return
	}
	if err := r.readList(m, out); err != nil {
		r.notAsked(m.Name, "whether a build with -mod=readonly works", err)
	}
}

// listed is a package as go list -json prints it.
type listed struct {
	Dir   string // empty: it was not found
	Error *struct{ Pos, Err string }
}

// readList reports errors of packages that are about go.mod and go.sum. The error is the
// first reason why a package could not be had that is no matter of these.
func (r *run) readList(m *modfiles.Member, out []byte) (cause error) {
	seen := map[string]bool{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return cause
		}
		if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		if p.Error == nil || seen[p.Error.Err] {
			continue
		}
		seen[p.Error.Err] = true
		switch {
		case isLockMessage(p.Error.Err):
			file, at := r.place(m, p.Error.Pos)
			r.add(finding.New(finding.Readonly, file, at, "%s", finding.Shown(p.Error.Err)))
		case p.Dir == "" && cause == nil:
			cause = errors.New(p.Error.Err)
		}
	}
}

// place reads a position, as in "sub/x.go:4:2", which is relative to the member.
func (r *run) place(m *modfiles.Member, pos string) (file string, at int) {
	match := position.FindStringSubmatch(pos)
	if match == nil {
		return m.Name, 1
	}
	file = match[1]
	if !filepath.IsAbs(file) {
		file = filepath.Join(m.Dir, file)
	}
	if !modfiles.IsIn(file, r.Root) {
		return m.Name, 1
	}
	at, _ = strconv.Atoi(match[2]) // digits
	return r.Rel(file), at
}

var position = regexp.MustCompile(`^(.+?):(\d{1,9})(?::\d+)?$`)
