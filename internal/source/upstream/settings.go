package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/netrc"
)

// Files are the paths of files with settings of one upstream; those that are
// empty are left out.
type Files struct {
	CA    string // PEM: authorities to trust beside those of the system
	Cert  string // PEM: the client certificate, and the chain that leads to it
	Key   string // PEM: its private key
	Netrc string // credentials by host, in the format of .netrc
}

// LoadFiles reads files into the options of the upstream at host, which is given
// as in its URL: with the port, if that names one. Options that no file speaks of
// stay as they are. Errors name the file and show nothing of what it holds.
func LoadFiles(o *Options, f Files, host string) error {
	if err := o.loadCA(f.CA); err != nil {
		return err
	}
	if err := o.loadCertificate(f.Cert, f.Key); err != nil {
		return err
	}
	return o.loadNetrc(f.Netrc, host)
}

func (o *Options) loadCA(path string) error {
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("ca_file: %w; name a PEM file that can be read", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return fmt.Errorf("the certificates of the system: %w", err)
	}
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("ca_file: %s holds a malformed certificate: %w; export it again as PEM", path, err)
		}
		pool.AddCert(authority)
		found = true
	}
	if !found {
		return fmt.Errorf("ca_file: %s holds no certificate; name a PEM file with -----BEGIN CERTIFICATE-----", path)
	}
	o.RootCAs = pool
	return nil
}

func (o *Options) loadCertificate(cert, key string) error {
	switch {
	case cert == "" && key == "":
		return nil
	case cert == "" || key == "":
		return errors.New("cert_file and key_file belong together; set both or none")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("cert_file %s with key_file %s: %w; name the PEM files of one certificate and its private key", cert, key, err)
	}
	o.Certificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return nil
}

func (o *Options) loadNetrc(path, host string) error {
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("netrc: %w; name a file that can be read", err)
	}
	login, password, ok := netrc.Find(string(data), host)
	if !ok {
		return fmt.Errorf("netrc: %s has no login and password for machine %s, written exactly so; add them, or take the setting away", path, host)
	}
	o.Username, o.Password = login, password
	return nil
}

// ownHeaders are set by the client itself.
var ownHeaders = []string{"Accept-Encoding", "Authorization", "Host", "If-Range", "Range"}

// check says which options exclude each other.
func (o *Options) check(base *url.URL) error {
	for name := range o.Header {
		if slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("the header %s of an upstream is set by Weir itself; take it away (credentials have settings of their own)", name)
		}
	}
	ways := 0
	for _, used := range []bool{base.User != nil, o.Username != "" || o.Password != "", o.Bearer != ""} {
		if used {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New("an upstream has several credentials; keep one of those in its URL, username with password, netrc, and bearer")
	case o.Certificate != nil && o.Proxy != nil && o.Proxy.Scheme == "https":
		return errors.New("an https:// proxy could ask for the client certificate in the upstream's place; use an http:// proxy, which cannot")
	}
	return nil
}

// authorization is the header for the credentials of an upstream; empty: none.
func authorization(base *url.URL, o Options) string {
	if o.Bearer != "" {
		return "Bearer " + o.Bearer
	}
	if o.Username != "" || o.Password != "" {
		return basic(url.UserPassword(o.Username, o.Password))
	}
	return basic(base.User)
}

func basic(user *url.Userinfo) string {
	password, _ := user.Password()
	if user.Username() == "" && password == "" {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// proxyOf is how requests come to a proxy, for http.Transport.
func proxyOf(o Options) func(*http.Request) (*url.URL, error) {
	switch {
	case o.NoProxy:
		return func(*http.Request) (*url.URL, error) { return nil, nil }
	case o.Proxy != nil:
		return http.ProxyURL(o.Proxy)
	default:
		return http.ProxyFromEnvironment
	}
}

// minSecret is how long the value of a header must be to be taken for a secret:
// shorter ones, such as "1" or "true", occur in many texts.
const minSecret = 5

// secretsOf are the settings of an upstream that are no business of clients.
func secretsOf(base *url.URL, o Options) []string {
	secrets := []string{base.RawQuery, o.Bearer}
	secrets = append(secrets, secretsOfUser(base.User)...)
	secrets = append(secrets, secretsOfUser(url.UserPassword(o.Username, o.Password))...)
	if o.Proxy != nil {
		secrets = append(secrets, secretsOfUser(o.Proxy.User)...)
	}
	for _, values := range o.Header {
		for _, v := range values {
			if len(v) >= minSecret {
				secrets = append(secrets, v)
			}
		}
	}
	return withoutEmpty(secrets)
}

// secretsOfUser are what is secret of a user with password. A user name is when
// it stands alone or is long, as tokens are.
func secretsOfUser(user *url.Userinfo) []string {
	password, _ := user.Password()
	name := user.Username()
	if password != "" && len(name) < 12 {
		name = ""
	}
	escaped := strings.TrimPrefix(url.UserPassword("", password).String(), ":")
	return []string{password, escaped, name, strings.TrimPrefix(basic(user), "Basic ")}
}

func withoutEmpty(list []string) (kept []string) {
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
