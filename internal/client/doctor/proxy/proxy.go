// Package proxy asks one entry of GOPROXY, as the go command would, and says how that goes: the
// way there, the login, and the files of one module.
//
// Its [Proxy.Checks] rest on each other, so that the first that is not well says what is wrong.
// Others read through a [Proxy] what they need, and have it explain what stopped them.
// Credentials are those that the go command would show, and go where it would send them; they
// are in no text. Entries that are folders are read as what they are.
//
// Sources: the Go Modules Reference, "GOPROXY protocol"; cmd/go/internal/modfetch/proxy.go, auth.
package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/fileurl"
	"github.com/goweir/weir/internal/source"
)

// A Proxy is one entry of GOPROXY, and what its checks find. An entry that is direct or off
// has no URL and no checks.
type Proxy struct {
	settings.Entry
	number   int // counted from 1
	settings *settings.Settings
	visitor  *visit.Visitor
	adviser  *advice.Adviser

	login  sync.Once   // finds the credentials:
	header http.Header // to send
	origin string      // where they come from
	failed error       // why others could not be had

	// What checks find for those after them.
	first visit.Answer
	has   bool // the module that it is asked for
}

// Open returns the entries of GOPROXY. Nobody is asked yet.
func Open(s *settings.Settings, v *visit.Visitor, a *advice.Adviser) []*Proxy {
	var all []*Proxy
	for i, e := range s.Entries {
		all = append(all, &Proxy{Entry: e, number: i + 1, settings: s, visitor: v, adviser: a})
	}
	return all
}

// Checks are those of the entry, in the order in which one rests on the other.
func (p *Proxy) Checks() []*check.Check {
	switch {
	case p.URL == nil:
		return nil
	case p.URL.Scheme == "file":
		return []*check.Check{p.check("proxy-list", check.Still(p.checkFolder))}
	}
	chain := []*check.Check{
		p.check("proxy-route", p.checkRoute),
		p.check("proxy-dns", p.checkDNS),
		p.check("proxy-connection", p.checkConnection),
		p.check("proxy-tls", p.checkTLS),
		p.check("proxy-login", p.checkLogin),
		p.check("proxy-list", p.checkAnswer),
		p.check("proxy-info", p.checkInfo),
		p.check("proxy-mod", p.checkMod),
		p.check("proxy-zip", p.checkZip),
	}
	for i := range chain[1:] {
		chain[i+1].After = chain[i : i+1]
	}
	return chain
}

func (p *Proxy) check(id string, run func(context.Context) check.Result) *check.Check {
	return &check.Check{ID: id, Subject: p.Name, Run: run, Entry: p.number}
}

// Read asks the proxy for a path, and reads the answer up to a limit.
func (p *Proxy) Read(ctx context.Context, path string, limit int64) visit.Answer {
	return p.read(ctx, path, 0, limit)
}

// get asks the proxy for an artifact, or its head if that is not 0.
func (p *Proxy) get(ctx context.Context, n artifact.Name, head int64) visit.Answer {
	return p.read(ctx, n.Key(), head, visit.Text)
}

func (p *Proxy) read(ctx context.Context, path string, head, limit int64) visit.Answer {
	if p.URL.Scheme == "file" {
		return readFile(filepath.Join(fileurl.Path(p.URL), filepath.FromSlash(path)), limit)
	}
	return p.visitor.Get(ctx, visit.Request{URL: p.URL.JoinPath(path), Header: p.credentials(ctx), Head: head, Max: limit})
}

// readFile answers with a file as if that came from a server.
func readFile(name string, limit int64) visit.Answer {
	f, err := os.Open(name)
	if err != nil {
		return visit.Answer{Status: http.StatusNotFound}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return visit.Answer{Status: http.StatusForbidden}
	}
	return visit.Answer{Status: http.StatusOK, Body: data}
}

// checkRoute asks the proxy for the first time, and looks how far that goes.
func (p *Proxy) checkRoute(ctx context.Context) check.Result {
	p.first = p.get(ctx, artifact.Name{Kind: artifact.List, Module: p.settings.Probe.Path}, 0)
	if r, ill := p.checkNoProxy(ctx); ill {
		return r
	}
	if t := p.first.Trouble; t != nil && t.Stage == visit.Tunnel {
		return p.adviser.Trouble(ctx, t, p.URL)
	}
	if p.first.Proxy != "" {
		return check.Well("through the HTTP proxy " + p.first.Proxy)
	}
	return check.Well("without an HTTP proxy")
}

// checkNoProxy looks whether the trouble is an HTTP proxy that need not be asked.
func (p *Proxy) checkNoProxy(ctx context.Context) (check.Result, bool) {
	a := p.first
	refused := a.Trouble != nil && a.Trouble.Kind == visit.ProxyRefuses || a.Trouble == nil && (a.Status >= http.StatusInternalServerError || a.Status == http.StatusForbidden && strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"))
	if a.Proxy == "" || !refused || !visit.Listens(ctx, p.URL) {
		return check.Result{}, false
	}
	what := fmt.Sprintf("it answers %d", a.Status)
	if a.Trouble != nil {
		what = a.Trouble.What
	}
	return check.Trouble("no-proxy-missing", fmt.Sprintf("%s is asked through the HTTP proxy %s, which does not bring it, and could be asked directly", p.URL.Host, a.Proxy),
		"except the host from the HTTP proxy: add it to NO_PROXY", check.ByHand("export NO_PROXY="+check.Quote(strings.Trim(p.settings.Getenv("NO_PROXY")+","+p.URL.Hostname(), ",")))).With(what), true
}

func (p *Proxy) checkDNS(ctx context.Context) check.Result {
	if t := p.first.Trouble; t != nil && t.Stage == visit.Lookup {
		return p.adviser.Trouble(ctx, t, p.URL)
	}
	if len(p.first.Addresses) == 0 {
		return check.Well(p.URL.Hostname())
	}
	return check.Well(p.URL.Hostname(), fmt.Sprintf("%s, in %s", strings.Join(p.first.Addresses, " "), check.Millis(p.first.LookedUp)))
}

func (p *Proxy) checkConnection(ctx context.Context) check.Result {
	if t := p.first.Trouble; t != nil && t.Stage == visit.Connect {
		return p.adviser.Trouble(ctx, t, p.URL)
	}
	return check.Well(p.first.Remote, "connected in "+check.Millis(p.first.Connected).String())
}

func (p *Proxy) checkTLS(ctx context.Context) check.Result {
	t := p.first.Trouble
	switch {
	case t != nil && (t.Stage == visit.TLS || t.Kind == visit.SpeaksTLS):
		return p.adviser.Trouble(ctx, t, p.URL)
	case p.URL.Scheme == "http":
		return check.Well("none: http")
	case p.first.State == nil || len(p.first.State.PeerCertificates) == 0:
		return check.Well("")
	}
	leaf := p.first.State.PeerCertificates[0]
	return check.Well(p.first.Proto, fmt.Sprintf("signed by %q, valid until %s", artifact.Clean(leaf.Issuer.CommonName, 80), leaf.NotAfter.UTC().Format(time.DateOnly)))
}

// checkAnswer looks at the list of versions.
func (p *Proxy) checkAnswer(ctx context.Context) check.Result {
	if r, ill := p.judge(ctx, p.first, false); ill {
		return r
	}
	if r, ill := p.checkPresence(ctx); ill {
		return r
	}
	if !p.first.OK() {
		return check.Well(fmt.Sprintf("it does not give out %s (%d)", p.settings.Probe.Path, p.first.Status), advice.Saying(p.first)...)
	}
	if err := source.CheckList(p.first.Body); err != nil {
		return check.Trouble("not-a-list", fmt.Sprintf("%s answers with something that is no list of versions: %s", p.Name, err), "is the path in GOPROXY right, and is a module proxy there?")
	}
	return check.Well(fmt.Sprintf("of %s, in %s", p.settings.Probe.Path, check.Millis(p.first.Took)))
}

// common is the path of a module that every proxy for public modules has.
const common = "golang.org/x/text"

// checkPresence looks whether a proxy is there at all: a server that knows nothing of the
// path in GOPROXY answers "not found" to everything, too.
func (p *Proxy) checkPresence(ctx context.Context) (check.Result, bool) {
	if !p.first.Absent() || p.number < len(p.settings.Entries) {
		return check.Result{}, false // the go command goes on to the next entry
	}
	for _, n := range []artifact.Name{p.name(artifact.Info), {Kind: artifact.List, Module: common}} {
		if !p.get(ctx, n, 0).Absent() {
			return check.Result{}, false
		}
	}
	return check.Trouble("no-module-proxy", fmt.Sprintf("%s answers %d to everything: no module proxy seems to be at that path", p.Name, p.first.Status),
		"compare the path in GOPROXY with the one that those who run the server name for its Go repository; a proxy for private modules alone needs another entry of GOPROXY behind it").With(advice.Saying(p.first)...), true
}

// Explain says what is wrong with an answer that stopped the go command on its way.
func (p *Proxy) Explain(ctx context.Context, a visit.Answer) (check.Result, bool) {
	if a.Status == http.StatusUnauthorized {
		return p.adviseLogin(), true
	}
	return p.judge(ctx, a, true)
}

// judge says what is wrong with an answer of the proxy, if anything is. That it does
// not have the module, or does not give it out, is only wrong if it must.
func (p *Proxy) judge(ctx context.Context, a visit.Answer, must bool) (check.Result, bool) {
	if a.Trouble != nil {
		return p.adviser.Trouble(ctx, a.Trouble, p.URL), true
	}
	return advice.Status(p.Name, a, must)
}

func (p *Proxy) name(k artifact.Kind) artifact.Name {
	return artifact.Name{Kind: k, Module: p.settings.Probe.Path, Version: p.settings.Probe.Version.Version}
}

func (p *Proxy) checkInfo(ctx context.Context) check.Result {
	n := p.name(artifact.Info)
	a := p.get(ctx, n, 0)
	if r, ill := p.judge(ctx, a, p.settings.Probe.Own); ill {
		return r
	}
	if !a.OK() {
		return check.Well("it does not give out " + p.settings.Probe.String())
	}
	p.has = true
	if _, err := source.ParseInfo(n, a.Body); err != nil {
		return check.Trouble("not-info", fmt.Sprintf("%s answers for %s with something else: %s", p.Name, p.settings.Probe, err), "it has to be mended there")
	}
	return check.Well(fmt.Sprintf("of %s, in %s", p.settings.Probe, check.Millis(a.Took)))
}

func (p *Proxy) checkMod(ctx context.Context) check.Result {
	if !p.has {
		return check.Skip("it does not give out " + p.settings.Probe.String())
	}
	a := p.get(ctx, p.name(artifact.Mod), 0)
	if r, ill := p.judge(ctx, a, true); ill {
		return r
	}
	if r, ill := p.incomplete(a, ".mod"); ill {
		return r
	}
	if err := source.CheckMod(a.Body); err != nil {
		return check.Trouble("not-mod", fmt.Sprintf("%s answers for the go.mod of %s with something else: %s", p.Name, p.settings.Probe, err), "it has to be mended there")
	}
	return check.Well("in " + check.Millis(a.Took).String())
}

// incomplete is a proxy that has the .info of a version and not the rest.
func (p *Proxy) incomplete(a visit.Answer, end string) (check.Result, bool) {
	if !a.Absent() {
		return check.Result{}, false
	}
	return check.Trouble("incomplete", fmt.Sprintf("%s has the .info of %s, but answers %d for its %s", p.Name, p.settings.Probe, a.Status, end), "have the version fetched anew there"), true
}

// zipHead is how much of a zip is asked for, in bytes.
const zipHead = 1 << 10

func (p *Proxy) checkZip(ctx context.Context) check.Result {
	if !p.has {
		return check.Skip("it does not give out " + p.settings.Probe.String())
	}
	a := p.get(ctx, p.name(artifact.Zip), zipHead)
	if r, ill := p.judge(ctx, a, true); ill {
		return r
	}
	if r, ill := p.incomplete(a, ".zip"); ill {
		return r
	}
	if !IsZip(a.Body) {
		return check.Trouble("not-zip", fmt.Sprintf("%s answers for the zip of %s with something else", p.Name, p.settings.Probe), "have the version fetched anew there")
	}
	part := "in one piece only"
	if a.Status == http.StatusPartialContent {
		part = "in parts, too"
	}
	return check.Well("in "+check.Millis(a.Took).String(), part)
}

// IsZip reports whether a file begins as a zip does.
func IsZip(head []byte) bool { return strings.HasPrefix(string(head), "PK\x03\x04") }

// checkFolder is for a proxy that is a folder.
func (p *Proxy) checkFolder() check.Result {
	folder := fileurl.Path(p.URL)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return check.Trouble("folder-missing", fmt.Sprintf("%s names a folder that does not exist", p.Name), "correct GOPROXY, or mount the folder")
	}
	if _, err := os.ReadDir(folder); err != nil {
		return check.Trouble("not-readable", fmt.Sprintf("the folder of %s cannot be read", p.Name), "look at its permissions")
	}
	list := artifact.Name{Kind: artifact.List, Module: p.settings.Probe.Path}.Key()
	if _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(list))); err != nil {
		return check.Well("a folder", "it does not have "+p.settings.Probe.Path)
	}
	return check.Well("a folder", "it has "+p.settings.Probe.Path)
}
