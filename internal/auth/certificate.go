package auth

import (
	"crypto/x509"
	"time"

	"github.com/goweir/weir/internal/policy"
)

// fromCertificate returns who a certificate is of, which the TLS server has
// verified when the connection began: its name is the common name or else the
// first URI, mail address or host name it is for, and its groups are its
// organizational units. A group that has no proper name is not left out: it may be
// one that is kept from something.
func fromCertificate(c *x509.Certificate, now time.Time) (policy.Subject, error) {
	if now.After(c.NotAfter) {
		return policy.Subject{}, refuse("the client certificate expired at "+c.NotAfter.UTC().Format(time.RFC3339), "renew the certificate; or run: weir login")
	}
	name := certificateName(c)
	if policy.CheckName(name) != nil {
		return policy.Subject{}, refuse("the client certificate names nobody", "use one with a common name, or a URI, mail address or host name; or run: weir login")
	}
	if policy.CheckGroups(c.Subject.OrganizationalUnit) != nil {
		return policy.Subject{}, refuse("the client certificate has an organizational unit that cannot be the name of a group", "use one whose units are short and of visible characters; or run: weir login")
	}
	return policy.Subject{Name: name, Method: MethodCertificate, Groups: c.Subject.OrganizationalUnit}, nil
}

func certificateName(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.URIs) > 0:
		return c.URIs[0].String()
	case len(c.EmailAddresses) > 0:
		return c.EmailAddresses[0]
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	}
	return ""
}
