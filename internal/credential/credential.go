// Package credential knows what to show to which host of version control.
//
// A [Credential] is what is shown, and shows itself to nobody: what prints it prints its
// name, and it takes itself out of texts. A [Store] has those of the operator. Each entry
// is bound to the beginning of a URL: scheme, host and port are the same, and its path
// begins the path of the repository, at a slash. Of several that fit, the longest counts;
// a netrc file is asked last, for the host. That it is shown nowhere else is promised by
// who asks: see packages origin and cage below source/direct.
//
// Tokens of GitHub Apps are made here when they are needed, kept for as long as they
// are good, and made once for all who wait for one.
package credential

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
)

// A Finder knows what to show to which host. It is safe for concurrent use.
type Finder interface {
	// Find returns the credential for a URL of the scheme https, http or ssh,
	// whose user, if it has one, says nothing; false: there is none. It is
	// asked again for each URL, also for those that a redirect leads to, so
	// that no credential gets to a host it is not meant for.
	Find(ctx context.Context, u *url.URL) (Credential, bool, error)
}

// For asks a Finder for the credential for a URL. The nil Finder has none.
func For(ctx context.Context, u *url.URL, f Finder) (Credential, bool, error) {
	if f == nil {
		return Credential{}, false, nil
	}
	bare := *u
	bare.User = nil
	return f.Find(ctx, &bare)
}

// A Credential is what is shown to a host: either a name with a password or an
// SSH key.
type Credential struct {
	Name string // what people call it, for messages; no secret

	// Username and Password are for basic authentication, which is done over
	// https only. A token is a password; without a Username it is sent with the name "token", which
	// hosts that take tokens do not look at.
	Username, Password string

	// SSHKeyFile is a private key without passphrase, and KnownHostsFile has
	// the keys of the hosts, as ssh-keyscan writes them. Repositories whose
	// address begins with https are then fetched over ssh, too. The user is
	// the one in the address, or else Username, or else "git".
	SSHKeyFile, KnownHostsFile string
}

// SSH reports whether the credential is a key.
func (c Credential) SSH() bool { return c.SSHKeyFile != "" }

// String returns the name, so that what prints a credential shows no secret.
func (c Credential) String() string { return "credential " + c.Name }

// GoString is String.
func (c Credential) GoString() string { return c.String() }

// User returns the name to log in with over https.
func (c Credential) User() string { return cmp.Or(c.Username, "token") }

// SSHUser returns the name to log in with over ssh.
func (c Credential) SSHUser() string { return cmp.Or(c.Username, "git") }

// Redact takes the credential out of a text, and all that is shown in URLs.
func (c Credential) Redact(text string) string {
	if c == (Credential{}) {
		return redact(text, nil)
	}
	return redact(text, []string{c.Password, base64.StdEncoding.EncodeToString([]byte(c.User() + ":" + c.Password))})
}

// userInfo matches the user and password in a URL.
var userInfo = regexp.MustCompile(`//[^/\s@]+@`)

// redact takes what must not be shown out of a text, in every form it may have
// there.
func redact(text string, secrets []string) string {
	text = userInfo.ReplaceAllString(text, "//")
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]} {
			if form != "" {
				text = strings.ReplaceAll(text, form, "xxxxx")
			}
		}
	}
	return text
}

// Hint says what to do when a host wants to know who asks.
func Hint(host string) string {
	return "the operator of this proxy can configure credentials for " + host + ", or they are wrong or may not read this repository"
}
