// Package advice says what to do about what a visit met: about its trouble, and about answers
// that are none of a module proxy.
//
// It looks closer where the trouble alone does not tell: a certificate that is out of date may
// be a clock that is wrong, a server that nobody runs may be outside of this container. What it
// asks for that is trusted with nothing. It changes nothing, and adds no secret to what the
// visit says.
package advice

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/client/doctor/visit"
	"github.com/goweir/weir/internal/source"
)

// hints say what to do about trouble, by its kind.
var hints = map[string]string{
	visit.NoSuchHost:       "check the spelling; a name of your company may need its VPN or its DNS",
	visit.NoDNS:            "the resolver of this machine does not work: look at the network, the VPN and /etc/resolv.conf",
	visit.Refused:          "start the server, or correct host and port",
	visit.NoConnection:     "a firewall on the way seems to drop packets: have the host allowed, or use a proxy or HTTPS_PROXY that may pass",
	visit.Unreachable:      "look at the network and the VPN",
	visit.ProxyDead:        "correct HTTP_PROXY and HTTPS_PROXY, or take them away",
	visit.ProxyLogin:       "put the login into the URL of HTTP_PROXY and HTTPS_PROXY (http://NAME:PASSWORD@host:port), or except the host with NO_PROXY",
	visit.ProxyRefuses:     "have the host allowed there, or except it with NO_PROXY",
	visit.ProxyMalformed:   "write http://host:port in HTTP_PROXY and HTTPS_PROXY",
	visit.OtherName:        "use the name that the certificate is for, or have a certificate for this name made",
	visit.BadCertificate:   "have the certificate made anew",
	visit.PlainHTTP:        "write http:// in GOPROXY (without a scheme it is https), or the port for https",
	visit.NoHandshake:      "something between here and there may forbid the connection: a firewall, or a proxy that is not set",
	visit.WantsCertificate: "the go command cannot show one: put a proxy that can (such as weir serve) in between",
	visit.SpeaksTLS:        "write https:// in GOPROXY, or the port for http",
	visit.Silent:           "the go command has no time-out and would wait for ever, even with | in GOPROXY: take the entry out until it is mended",
	visit.Slow:             "the way there is slow, or the server is: a proxy nearby (such as weir serve) helps; --timeout lets the doctor wait longer",
	visit.Closed:           "a load balancer or firewall may cut it; try again, and look at its log",
	visit.BrokeOff:         "try again; look at the log of the server and of what is in front of it",
	visit.InsecureRedirect: "the server builds its URLs with http: its external URL, or X-Forwarded-Proto, is wrong",
	visit.RedirectLoop:     "a login page or a wrong path does that: correct the URL, or give the credentials that it wants",
	visit.Malformed:        "correct it",
	visit.Other:            "try it with curl -v",
}

// Hint is what to do about a kind of trouble, as far as the kind says.
func Hint(kind string) string { return hints[kind] }

// IsSilence reports whether a kind of trouble makes the go command wait, with no end
// that a person would wait for.
func IsSilence(kind string) bool { return kind == visit.Silent || kind == visit.NoHandshake }

// An Adviser knows the machine that visits are made from.
type Adviser struct {
	settings  *settings.Settings
	visitor   *visit.Visitor
	container string // why this seems to be one, or nothing
}

// New returns an Adviser, who looks closer with a visitor.
func New(s *settings.Settings, v *visit.Visitor) *Adviser {
	return &Adviser{s, v, container(s.Getenv)}
}

// container says why this seems to be a container, or nothing.
func container(getenv func(string) string) string {
	if name := getenv("container"); name != "" {
		return "container=" + name
	}
	if getenv("KUBERNETES_SERVICE_HOST") != "" {
		return "KUBERNETES_SERVICE_HOST"
	}
	for _, file := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// Trouble is the result for trouble with a URL.
func (a *Adviser) Trouble(ctx context.Context, t *visit.Trouble, u *url.URL) check.Result {
	switch {
	case t.Kind == visit.Expired || t.Kind == visit.NotYetValid:
		return a.clock(ctx, t, u)
	case t.Kind == visit.UnknownAuthority:
		return a.authority(t, u)
	case t.Kind == visit.Refused && a.container != "" && isLoopback(u.Hostname()):
		return check.Trouble("container-localhost", fmt.Sprintf("nothing listens at %s, and this is a container (%s), where %s is the container itself", u.Host, a.container, u.Hostname()),
			"name the host that the proxy runs on: host.docker.internal, host.containers.internal, or a service")
	}
	return check.Trouble(t.Kind, t.What, Hint(t.Kind))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// clockTolerance is how wrong the clock of a machine, or that of a server, may be.
const clockTolerance = 12 * time.Hour

// clock tells a certificate that is out of date from a clock that is wrong: by
// what the server says the time is. It is not trusted with anything for that.
func (a *Adviser) clock(ctx context.Context, t *visit.Trouble, u *url.URL) check.Result {
	trusting := a.visitor.Trusting()
	defer trusting.Close()
	answer := trusting.Get(ctx, visit.Request{URL: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}, Max: visit.Page})
	there, err := http.ParseTime(answer.Header.Get("Date"))
	if off := time.Since(there); err == nil && off.Abs() > clockTolerance {
		return check.Trouble("clock-wrong", fmt.Sprintf("the clock of this machine says %s, that of %s %s", time.Now().UTC().Format(time.DateTime), u.Host, there.UTC().Format(time.DateTime)),
			"set the clock; in a virtual machine it may stand still while the machine sleeps").With(t.What)
	}
	return check.Trouble(t.Kind, t.What, "it has to be renewed there")
}

// authority is for certificates that nobody vouches for here.
func (a *Adviser) authority(t *visit.Trouble, u *url.URL) check.Result {
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value := a.settings.Getenv(name); value != "" {
			if r := a.settings.CAFiles(); r.State == check.Warn {
				r.State = check.Bad
				return r.With(t.What)
			}
			return check.Trouble(t.Kind, t.What, fmt.Sprintf("if that authority is your company's, add its certificate to %s=%s", name, value))
		}
	}
	return check.Trouble(t.Kind, t.What, "if that authority is your company's (it may look into all connections), add its certificate to those of the system, or name a file with it in SSL_CERT_FILE; GOINSECURE does not help").
		With("see who answers: openssl s_client -connect " + hostPort(u))
}

// hostPort is the host and port that a URL leads to.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Status says what is wrong with the status of an answer, and with a page in its
// place. "Not found" never is; a refusal is if the module must be had.
func Status(who string, a visit.Answer, must bool) (check.Result, bool) {
	said := Saying(a)
	switch {
	case a.Absent():
		return check.Result{}, false
	case a.OK():
		if source.CheckPage(a.Body) == nil {
			return check.Result{}, false
		}
		return check.Trouble("html", fmt.Sprintf("%s answers with a web page, such as a login page", who),
			"open it in a browser: a portal may want a login, or the path in GOPROXY is wrong").With(redirected(a)...), true
	case a.Status == http.StatusUnauthorized:
		return check.Trouble("unauthorized", fmt.Sprintf("%s wants credentials", who), "see the line about the login").With(said...), true
	case a.Status == http.StatusForbidden || a.Status == http.StatusUnavailableForLegalReasons:
		if !must {
			return check.Result{}, false
		}
		return check.Trouble("forbidden", fmt.Sprintf("%s refuses to give it out: %d %s", who, a.Status, http.StatusText(a.Status)),
			"read what it says; ask those who run it for the right, or for the module to be allowed").With(said...), true
	case a.Status == http.StatusTooManyRequests:
		hint := "others behind the same address may ask, too: use a proxy of your own (such as weir serve), and keep the module cache between builds"
		if after := a.Header.Get("Retry-After"); after != "" {
			hint = "wait " + artifact.Clean(after, 40) + " (seconds, if it is a number); " + hint
		}
		return check.Trouble("too-many-requests", fmt.Sprintf("%s has been asked too much: 429", who), hint).With(said...), true
	case a.Status >= http.StatusInternalServerError:
		return check.Trouble("server-error", fmt.Sprintf("%s has trouble of its own: %d %s", who, a.Status, http.StatusText(a.Status)), "try again later; tell those who run it; with | instead of , in GOPROXY the next entry is asked").With(said...), true
	}
	return check.Trouble("status", fmt.Sprintf("%s answers %d %s, which is no answer of a module proxy", who, a.Status, http.StatusText(a.Status)), "is the path in GOPROXY right, and is a module proxy there?").With(said...), true
}

// Saying is what a server says about a refusal.
func Saying(a visit.Answer) []string {
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		return nil
	}
	if text := artifact.Clean(string(a.Body[:min(len(a.Body), 2000)]), 200); text != "" {
		return []string{"it says: " + text}
	}
	return nil
}

func redirected(a visit.Answer) []string {
	if len(a.Redirects) == 0 {
		return nil
	}
	return []string{"it redirected to " + strings.Join(a.Redirects, ", then to ")}
}
