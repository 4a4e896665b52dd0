package direct

import (
	"context"
	"encoding/base64"
	"net/url"
)

// Credentials knows what to show to which host. It is safe for concurrent use.
type Credentials interface {
	// Find returns the credential for a URL of the scheme https, http or ssh,
	// whose user, if it has one, says nothing; false: there is none. It is
	// asked again for each URL, also for those that a redirect leads to, so
	// that no credential gets to a host it is not meant for.
	Find(ctx context.Context, u *url.URL) (Credential, bool, error)
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

// user returns the name to log in with over https.
func (c Credential) user() string {
	if c.Username == "" {
		return "token"
	}
	return c.Username
}

// sshUser returns the name to log in with over ssh.
func (c Credential) sshUser() string {
	if c.Username == "" {
		return "git"
	}
	return c.Username
}

// secrets returns what must not be shown: the password, and what it becomes in
// a header.
func (c Credential) secrets() []string {
	return []string{c.Password, base64.StdEncoding.EncodeToString([]byte(c.user() + ":" + c.Password))}
}

// credential asks for the credential for a URL.
func (s *Source) credential(ctx context.Context, u *url.URL) (Credential, bool, error) {
	if s.o.Credentials == nil {
		return Credential{}, false, nil
	}
	bare := *u
	bare.User = nil
	return s.o.Credentials.Find(ctx, &bare)
}
