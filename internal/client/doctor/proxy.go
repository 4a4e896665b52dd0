package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/client/goauth"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/source"
)

// A proxy is one entry of GOPROXY.
type proxy struct {
	source.Entry
	*machine
	Name   string // without secrets
	url    *url.URL
	number int  // counted from 1
	public bool // it is for everybody

	login  sync.Once   // finds the credentials:
	header http.Header // to send
	origin string      // where they come from
	failed error       // why others could not be had

	// What checks find for those after them.
	first visit.Answer
	has   bool // the module that it is asked for
}

// publicHosts are proxies for everybody, beside that of the Go installation.
var publicHosts = []string{"goproxy.cn", "goproxy.io", "mirrors.aliyun.com"}

// openProxies reads GOPROXY.
func (m *machine) openProxies() ([]*proxy, error) {
	entries, err := source.ParseList(m.proxyValue())
	if err != nil {
		return nil, err
	}
	var all []*proxy
	for i, e := range entries {
		p := &proxy{Entry: e, machine: m, Name: e.Redacted(), number: i + 1}
		if e.URL != "" {
			if p.url, err = url.Parse(e.URL); err != nil {
				return nil, fmt.Errorf("entry %d is no URL", i+1)
			}
			p.public = m.isPublicHost(p.url.Hostname())
		}
		all = append(all, p)
	}
	return all, nil
}

func (m *machine) isPublicHost(host string) bool {
	if slices.Contains(publicHosts, host) {
		return true
	}
	for _, s := range m.env.All("GOPROXY") {
		if s.Layer == goenv.Installation && strings.Contains(s.Value, "://"+host) {
			return true
		}
	}
	return false
}

// checks are those of the entry, in the order in which one rests on the other.
func (p *proxy) checks() []*Check {
	switch {
	case p.url == nil:
		return nil
	case p.url.Scheme == "file":
		return []*Check{p.check("proxy-list", still(p.checkFolder))}
	}
	chain := []*Check{
		p.check("proxy-route", p.checkRoute),
		p.check("proxy-dns", p.checkDNS),
		p.check("proxy-connection", still(p.checkConnection)),
		p.check("proxy-tls", p.checkTLS),
		p.check("proxy-login", p.checkLogin),
		p.check("proxy-list", still(p.checkAnswer)),
		p.check("proxy-info", p.checkInfo),
		p.check("proxy-mod", p.checkMod),
		p.check("proxy-zip", p.checkZip),
	}
	for i := range chain[1:] {
		chain[i+1].After = chain[i : i+1]
	}
	return chain
}

func (p *proxy) check(id string, run func(context.Context) Result) *Check {
	return &Check{ID: id, Subject: p.Name, Run: run, proxy: p.number}
}

// credentials are the headers that the go command sends to the proxy.
func (p *proxy) credentials(ctx context.Context) http.Header {
	p.login.Do(func() {
		if p.url.User != nil { // they are sent by themselves
			p.origin = "GOPROXY"
			return
		}
		p.header, p.origin, p.failed = goauth.Header(ctx, p.env, p.url)
	})
	return p.header
}

// get asks the proxy for an artifact.
func (p *proxy) get(ctx context.Context, n artifact.Name, head int64) visit.Answer {
	return p.read(ctx, n.Key(), head, maxText)
}

// read asks the proxy for a path.
func (p *proxy) read(ctx context.Context, path string, head, limit int64) visit.Answer {
	if p.url.Scheme == "file" {
		return readFile(filepath.Join(filepath.FromSlash(p.url.Path), filepath.FromSlash(path)), limit)
	}
	return p.visitor.Get(ctx, visit.Request{URL: p.url.JoinPath(path), Header: p.credentials(ctx), Head: head, Max: limit})
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

// maxText is how much is read of an answer, in bytes.
const maxText = 16 << 20

// checkRoute asks the proxy for the first time, and looks how far that goes.
func (p *proxy) checkRoute(ctx context.Context) Result {
	p.first = p.get(ctx, artifact.Name{Kind: artifact.List, Module: p.probe.Path}, 0)
	if r, ill := p.checkNoProxy(ctx); ill {
		return r
	}
	if t := p.first.Trouble; t != nil && t.Stage == visit.Tunnel {
		return p.advise(t, p.url)
	}
	if p.first.Proxy != "" {
		return well("through the HTTP proxy " + p.first.Proxy)
	}
	return well("without an HTTP proxy")
}

// checkNoProxy looks whether the trouble is an HTTP proxy that need not be asked.
func (p *proxy) checkNoProxy(ctx context.Context) (Result, bool) {
	a := p.first
	refused := a.Trouble != nil && a.Trouble.Kind == visit.ProxyRefuses || a.Trouble == nil && (a.Status >= http.StatusInternalServerError || a.Status == http.StatusForbidden && strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"))
	if a.Proxy == "" || !refused || !visit.Listens(ctx, p.url) {
		return Result{}, false
	}
	what := fmt.Sprintf("it answers %d", a.Status)
	if a.Trouble != nil {
		what = a.Trouble.What
	}
	return bad("no-proxy-missing", fmt.Sprintf("%s is asked through the HTTP proxy %s, which does not bring it, and could be asked directly", p.url.Host, a.Proxy),
		"except the host from the HTTP proxy: add it to NO_PROXY", byHand("export NO_PROXY="+quote(strings.Trim(p.Getenv("NO_PROXY")+","+p.url.Hostname(), ",")))).with(what), true
}

// with adds evidence.
func (r Result) with(evidence ...string) Result {
	r.Evidence = append(r.Evidence, evidence...)
	return r
}

func (p *proxy) checkDNS(context.Context) Result {
	if t := p.first.Trouble; t != nil && t.Stage == visit.Lookup {
		return p.advise(t, p.url)
	}
	if len(p.first.Addresses) == 0 {
		return well(p.url.Hostname())
	}
	return well(p.url.Hostname(), fmt.Sprintf("%s, in %s", strings.Join(p.first.Addresses, " "), millis(p.first.LookedUp)))
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func (p *proxy) checkConnection() Result {
	if t := p.first.Trouble; t != nil && t.Stage == visit.Connect {
		return p.advise(t, p.url)
	}
	return well(p.first.Remote, "connected in "+millis(p.first.Connected))
}

func (p *proxy) checkTLS(ctx context.Context) Result {
	t := p.first.Trouble
	switch {
	case t != nil && (t.Stage == visit.TLS || t.Kind == visit.SpeaksTLS):
		return p.adviseTLS(ctx, t, p.url)
	case p.url.Scheme == "http":
		return well("none: http")
	case p.first.State == nil || len(p.first.State.PeerCertificates) == 0:
		return well("")
	}
	leaf := p.first.State.PeerCertificates[0]
	return well(p.first.Proto, fmt.Sprintf("signed by %q, valid until %s", artifact.Clean(leaf.Issuer.CommonName, 80), leaf.NotAfter.UTC().Format(time.DateOnly)))
}

// checkAnswer looks at the list of versions.
func (p *proxy) checkAnswer() Result {
	if r, ill := p.judge(p.first, false); ill {
		return r
	}
	if !p.first.OK() {
		return well(fmt.Sprintf("it does not give out %s (%d)", p.probe.Path, p.first.Status), saying(p.first)...)
	}
	if err := source.CheckList(p.first.Body); err != nil {
		return bad("not-a-list", fmt.Sprintf("%s answers with something that is no list of versions: %s", p.Name, err), "is the path in GOPROXY right, and is a module proxy there?")
	}
	return well(fmt.Sprintf("of %s, in %s", p.probe.Path, millis(p.first.Took)))
}

// explain says what is wrong with an answer that stopped the go command on its way.
func (p *proxy) explain(ctx context.Context, a visit.Answer) (Result, bool) {
	switch {
	case a.Trouble != nil && a.Trouble.Stage == visit.TLS:
		return p.adviseTLS(ctx, a.Trouble, p.url), true
	case a.Status == http.StatusUnauthorized:
		return p.adviseLogin(), true
	}
	return p.judge(a, true)
}

// judge says what is wrong with an answer of the proxy, if anything is. That it does
// not have the module, or does not give it out, is only wrong if it must.
func (p *proxy) judge(a visit.Answer, must bool) (Result, bool) {
	if a.Trouble != nil {
		return p.advise(a.Trouble, p.url), true
	}
	return p.adviseStatus(p.Name, a, must)
}

func (p *proxy) name(k artifact.Kind) artifact.Name {
	return artifact.Name{Kind: k, Module: p.probe.Path, Version: p.probe.Version.Version}
}

func (p *proxy) checkInfo(ctx context.Context) Result {
	n := p.name(artifact.Info)
	a := p.get(ctx, n, 0)
	if r, ill := p.judge(a, p.probe.own); ill {
		return r
	}
	if !a.OK() {
		return well("it does not give out " + p.probe.String())
	}
	p.has = true
	if _, err := source.ParseInfo(n, a.Body); err != nil {
		return bad("not-info", fmt.Sprintf("%s answers for %s with something else: %s", p.Name, p.probe, err), "it has to be mended there")
	}
	return well(fmt.Sprintf("of %s, in %s", p.probe, millis(a.Took)))
}

func (p *proxy) checkMod(ctx context.Context) Result {
	if !p.has {
		return skipped("it does not give out " + p.probe.String())
	}
	a := p.get(ctx, p.name(artifact.Mod), 0)
	if r, ill := p.judge(a, true); ill {
		return r
	}
	if r, ill := p.incomplete(a, ".mod"); ill {
		return r
	}
	if err := source.CheckMod(a.Body); err != nil {
		return bad("not-mod", fmt.Sprintf("%s answers for the go.mod of %s with something else: %s", p.Name, p.probe, err), "it has to be mended there")
	}
	return well("in " + millis(a.Took))
}

// incomplete is a proxy that has the .info of a version and not the rest.
func (p *proxy) incomplete(a visit.Answer, end string) (Result, bool) {
	if !a.Absent() {
		return Result{}, false
	}
	return bad("incomplete", fmt.Sprintf("%s has the .info of %s, but answers %d for its %s", p.Name, p.probe, a.Status, end), "have the version fetched anew there"), true
}

// zipHead is how much of a zip is asked for, in bytes.
const zipHead = 1 << 10

func (p *proxy) checkZip(ctx context.Context) Result {
	if !p.has {
		return skipped("it does not give out " + p.probe.String())
	}
	a := p.get(ctx, p.name(artifact.Zip), zipHead)
	if r, ill := p.judge(a, true); ill {
		return r
	}
	if r, ill := p.incomplete(a, ".zip"); ill {
		return r
	}
	if !isZip(a.Body) {
		return bad("not-zip", fmt.Sprintf("%s answers for the zip of %s with something else", p.Name, p.probe), "have the version fetched anew there")
	}
	part := "in one piece only"
	if a.Status == http.StatusPartialContent {
		part = "in parts, too"
	}
	return well("in "+millis(a.Took), part)
}

func isZip(head []byte) bool { return strings.HasPrefix(string(head), "PK\x03\x04") }

// checkFolder is for a proxy that is a folder.
func (p *proxy) checkFolder() Result {
	folder := filepath.FromSlash(p.url.Path)
	if !isFolder(folder) {
		return bad("folder-missing", fmt.Sprintf("%s names a folder that does not exist", p.Name), "correct GOPROXY, or mount the folder")
	}
	if _, err := os.ReadDir(folder); err != nil {
		return bad("not-readable", fmt.Sprintf("the folder of %s cannot be read", p.Name), "look at its permissions")
	}
	list := path.Join(filepath.ToSlash(folder), artifact.Name{Kind: artifact.List, Module: p.probe.Path}.Key())
	if _, err := os.Stat(filepath.FromSlash(list)); err != nil {
		return well("a folder", "it does not have "+p.probe.Path)
	}
	return well("a folder", "it has "+p.probe.Path)
}

// isWeir reports whether the proxy is a Weir, and whom it takes this user for.
func (p *proxy) isWeir(ctx context.Context) (name string, ok bool) {
	u := *p.url
	u.Path, u.RawPath, u.RawQuery = "/-/whoami", "", ""
	a := p.visitor.Get(ctx, visit.Request{URL: &u, Header: p.credentials(ctx), Max: maxPage})
	var me struct {
		Name *string `json:"name"`
	}
	if !a.OK() || json.Unmarshal(a.Body, &me) != nil || me.Name == nil {
		return "", false
	}
	return artifact.Clean(*me.Name, 80), true
}

// maxPage is how much is read of a page, in bytes.
const maxPage = 1 << 20
