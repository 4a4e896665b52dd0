package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/client/goauth"
	"github.com/goweir/weir/internal/netrc"
)

// credentials are the headers that the go command sends to the proxy.
func (p *Proxy) credentials(ctx context.Context) http.Header {
	p.login.Do(func() {
		if p.URL.User != nil { // they are sent by themselves
			p.origin = "GOPROXY"
			return
		}
		p.header, p.origin, p.failed = goauth.Header(ctx, p.settings.Env, p.URL)
	})
	return p.header
}

// checkLogin looks at the credentials for the proxy.
func (p *Proxy) checkLogin(ctx context.Context) check.Result {
	if p.first.Status == http.StatusUnauthorized {
		return p.adviseLogin()
	}
	r := check.Well("none are wanted")
	if p.origin != "" {
		r = check.Well("those of " + p.origin)
	}
	if p.first.OK() || p.first.Absent() {
		if name, ok := p.isWeir(ctx); ok && name != "" {
			r.Evidence = append(r.Evidence, "it is a Weir, and takes you for "+name)
		} else if ok {
			r.Evidence = append(r.Evidence, "it is a Weir")
		}
	}
	return r
}

// adviseLogin says why the proxy does not know who asks.
func (p *Proxy) adviseLogin() check.Result {
	host := p.URL.Host
	unauthorized := func(kind, why, hint string, fixes ...check.Fix) check.Result {
		return check.Trouble(kind, fmt.Sprintf("%s wants credentials: %s", p.Name, why), hint, fixes...)
	}
	methods := strings.Split(p.settings.Value("GOAUTH"), ";")
	switch {
	case p.URL.Scheme == "http":
		return unauthorized("login-over-http", "the go command has none for http", "write https:// in GOPROXY")
	case p.origin != "":
		return unauthorized("credentials-refused", "those of "+p.origin+" are refused", "renew them there: they may have expired, or be for somebody else")
	case p.failed != nil:
		return unauthorized("goauth-failed", "the go command gets none, since "+firstLine(p.failed), "mend "+p.settings.From("GOAUTH"))
	case slices.Contains(methods, "off"):
		return unauthorized("goauth-off", p.settings.From("GOAUTH")+" is off", "let it be netrc", p.settings.Unset("GOAUTH"))
	}
	name, text, err := p.settings.ReadNetrc()
	_, _, matches := netrc.Find(text, host)
	_, _, bare := netrc.Find(text, p.URL.Hostname())
	words := strings.Fields(text)
	line := fmt.Sprintf("machine %s login NAME password TOKEN", host)
	switch {
	case err != nil && p.settings.Getenv("NETRC") != "":
		return unauthorized("netrc-missing", "NETRC names "+name+", which cannot be read", "correct it, or unset NETRC", check.ByHand("unset NETRC"))
	case matches:
		return unauthorized("goauth-without-netrc", name+" has some, but "+p.settings.From("GOAUTH")+" does not say netrc", "add it", p.settings.Set("GOAUTH", p.settings.Value("GOAUTH")+";netrc"))
	case bare:
		return unauthorized("netrc-port", fmt.Sprintf("%s has some for %s, but the go command wants the port, too", name, p.URL.Hostname()), "write in that file: "+line)
	case slices.Contains(words, p.URL.Hostname()) || slices.Contains(words, host):
		return unauthorized("netrc-incomplete", name+" names the host, but has no login and password after it", "write in that file: "+line)
	case slices.Contains(words, "default"):
		return unauthorized("netrc-default", name+" has some for \"default\" only, which the go command ignores", "write in that file: "+line)
	}
	return unauthorized("no-credentials", "the go command has none", fmt.Sprintf("write in %s: %s; if it is a Weir: weir login %s://%s", name, line, p.URL.Scheme, host))
}

// firstLine is the first line of an error.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// isWeir reports whether the proxy is a Weir, and whom it takes this user for.
func (p *Proxy) isWeir(ctx context.Context) (name string, ok bool) {
	u := *p.URL
	u.Path, u.RawPath, u.RawQuery = "/-/whoami", "", ""
	a := p.visitor.Get(ctx, visit.Request{URL: &u, Header: p.credentials(ctx), Max: visit.Page})
	var me struct {
		Name *string `json:"name"`
	}
	if !a.OK() || json.Unmarshal(a.Body, &me) != nil || me.Name == nil {
		return "", false
	}
	return artifact.Clean(*me.Name, 80), true
}
