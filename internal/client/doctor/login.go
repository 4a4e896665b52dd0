package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/goauth"
	"github.com/goweir/weir/internal/netrc"
)

// maxNetrc is how much of a netrc file is read, in bytes.
const maxNetrc = 1 << 20

// readNetrc reads the netrc file of the go command.
func (m *machine) readNetrc() (name, text string, err error) {
	name = goauth.NetrcFile(m.env)
	f, err := os.Open(name)
	if err != nil {
		return name, "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNetrc))
	return name, string(data), err
}

func (m *machine) checkNetrc() Result {
	name, text, err := m.readNetrc()
	switch {
	case name == "":
		return warn("no-home", "nobody knows the home folder, where netrc would be", "set HOME, or NETRC")
	case errors.Is(err, fs.ErrNotExist) && m.Getenv("NETRC") != "":
		return warn("netrc-missing", "NETRC names "+name+", which is not there", "correct it or take it away", byHand("unset NETRC"))
	case errors.Is(err, fs.ErrNotExist):
		return well("there is none")
	case err != nil:
		return bad("netrc-unreadable", name+" cannot be read by this user", "give it to the user who runs go", byHand("chown \"$USER\" "+quote(name)))
	}
	info, err := os.Stat(name)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 && strings.Contains(text, "password") {
		return warn("netrc-open", "others on this machine may read the passwords in "+name, "keep it to yourself", keepPrivate(name))
	}
	return well(name)
}

// checkLogin looks at the credentials for the proxy.
func (p *proxy) checkLogin(ctx context.Context) Result {
	if p.first.Status == http.StatusUnauthorized {
		return p.adviseLogin()
	}
	r := well("none are wanted")
	if p.origin != "" {
		r = well("those of " + p.origin)
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
func (p *proxy) adviseLogin() Result {
	host := p.url.Host
	unauthorized := func(kind, why, hint string, fixes ...Fix) Result {
		return bad(kind, fmt.Sprintf("%s wants credentials: %s", p.Name, why), hint, fixes...)
	}
	methods := strings.Split(p.env.Value("GOAUTH"), ";")
	switch {
	case p.url.Scheme == "http":
		return unauthorized("login-over-http", "the go command has none for http", "write https:// in GOPROXY")
	case p.origin != "":
		return unauthorized("credentials-refused", "those of "+p.origin+" are refused", "renew them there: they may have expired, or be for somebody else")
	case p.failed != nil:
		return unauthorized("goauth-failed", "the go command gets none, since "+oneLine(p.failed), "mend "+p.from("GOAUTH"))
	case slices.Contains(methods, "off"):
		return unauthorized("goauth-off", p.from("GOAUTH")+" is off", "let it be netrc", p.unset("GOAUTH"))
	}
	name, text, err := p.readNetrc()
	_, _, matches := netrc.Find(text, host)
	_, _, bare := netrc.Find(text, p.url.Hostname())
	words := strings.Fields(text)
	line := fmt.Sprintf("machine %s login NAME password TOKEN", host)
	switch {
	case err != nil && p.Getenv("NETRC") != "":
		return unauthorized("netrc-missing", "NETRC names "+name+", which cannot be read", "correct it, or unset NETRC", byHand("unset NETRC"))
	case matches:
		return unauthorized("goauth-without-netrc", name+" has some, but "+p.from("GOAUTH")+" does not say netrc", "add it", p.set("GOAUTH", p.env.Value("GOAUTH")+";netrc"))
	case bare:
		return unauthorized("netrc-port", fmt.Sprintf("%s has some for %s, but the go command wants the port, too", name, p.url.Hostname()), "write in that file: "+line)
	case slices.Contains(words, p.url.Hostname()) || slices.Contains(words, host):
		return unauthorized("netrc-incomplete", name+" names the host, but has no login and password after it", "write in that file: "+line)
	case slices.Contains(words, "default"):
		return unauthorized("netrc-default", name+" has some for \"default\" only, which the go command ignores", "write in that file: "+line)
	}
	return unauthorized("no-credentials", "the go command has none", fmt.Sprintf("write in %s: %s; if it is a Weir: weir login %s://%s", name, line, p.url.Scheme, host))
}
