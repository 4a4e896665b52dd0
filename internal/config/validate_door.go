package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// doorProblems are those of who may come in, and how.
func (c *Config) doorProblems() []problem {
	var problems []problem
	add := func(key, text string) {
		if text != "" {
			problems = append(problems, problem{key, -1, text})
		}
	}
	if c.Admin.Listen != "" {
		add("admin.listen", checkListen(c.Admin.Listen))
	}
	for _, list := range []struct {
		key      string
		networks Names
	}{
		{"auth.trusted_proxies", c.Auth.TrustedProxies},
		{"auth.allow_networks", c.Auth.AllowNetworks},
		{"auth.deny_networks", c.Auth.DenyNetworks},
		{"admin.allow_networks", c.Admin.AllowNetworks},
	} {
		problems = append(problems, checkNetworks(list.key, list.networks)...)
	}
	add(c.checkTLS())
	add("direct.proxy", checkProxy(c.Direct.Proxy, "http", "https"))
	for i, name := range c.Direct.VCS {
		if name != "git" && name != "hg" {
			problems = append(problems, problem{"direct.vcs", i, quote(name) + " is not git or hg"})
		}
	}
	return slices.Concat(problems, c.credentialsProblems(), c.issuerProblems(), c.accessProblems())
}

func checkNetworks(key string, networks Names) []problem {
	var problems []problem
	for i, text := range networks {
		if len(problems) == maxItems {
			break
		}
		if _, ok := ParseNetwork(text); !ok {
			problems = append(problems, problem{key, i, quote(text) + " is neither an address nor a network such as 10.0.0.0/8"})
		}
	}
	return problems
}

func ParseNetwork(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), addr.Zone() == ""
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil
}

// IsLoopback reports whether nobody but this machine can reach an address.
func IsLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// checkTLS says which key of tls is wrong, and why.
func (c *Config) checkTLS() (key, text string) {
	t := c.TLS
	encrypted := t.CertFile != "" || len(t.ACMEHosts) > 0
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		return "tls.cert_file", "there is no key to the certificate; set tls.key_file"
	case t.KeyFile != "" && t.CertFile == "":
		return "tls.key_file", "there is no certificate to the key; set tls.cert_file"
	case t.HTTPListen != "" && !encrypted:
		return "tls.http_listen", "there is no https to send clients to; set tls.cert_file and tls.key_file, or tls.acme_hosts"
	case t.HTTPListen != "" && checkListen(t.HTTPListen) != "":
		return "tls.http_listen", checkListen(t.HTTPListen)
	case t.ClientCerts != ClientCertsOff && !encrypted:
		return "tls.client_certs", "clients show certificates over TLS only; set tls.cert_file and tls.key_file"
	case t.ClientCerts != ClientCertsOff && t.ClientCAFile == "":
		return "tls.client_certs", "it takes an authority to trust in the certificates of clients; set tls.client_ca_file"
	case t.ClientCerts == ClientCertsRequire && len(t.ACMEHosts) > 0 && t.HTTPListen == "":
		return "tls.client_certs", "a certificate authority shows no certificate when it proves the hosts of tls.acme_hosts; set tls.http_listen, or write request"
	case t.ACMEDirectory != "":
		return "tls.acme_directory", checkHTTPS(t.ACMEDirectory)
	}
	return "", ""
}

// checkHTTPS says what is wrong with a URL that must begin with https.
func checkHTTPS(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && !IsLoopback(net.JoinHostPort(u.Hostname(), "1")) {
		return "not an https URL; write for instance https://login.example.com"
	}
	if u.User != nil {
		return "write the URL without a user name and a password"
	}
	return ""
}

func (c *Config) credentialsProblems() []problem {
	var problems []problem
	for _, name := range slices.Sorted(maps.Keys(c.Credentials)) {
		entry := c.Credentials[name]
		check := &checker{key: join("credentials", name)}
		check.add("", checkName(name))
		check.rules("credentials", c, &entry)
		check.versionControl(&entry)
		problems = append(problems, check.problems...)
	}
	return problems
}

// versionControl checks credentials for version control: they are of one sort, whole,
// and for a URL of that sort.
func (c *checker) versionControl(e *Credentials) {
	scheme, text := checkRepositoryURL(e.URL)
	c.add("url", text)
	sorts := []struct {
		name  string
		given bool
	}{
		{"password", e.Password.Reveal() != ""}, {"netrc", e.Netrc != ""}, {"ssh_key_file", e.SSHKeyFile != ""},
		{"github_app", e.GitHubApp != 0}, {"helper", e.Helper != ""},
	}
	var given []string
	for _, s := range sorts {
		if s.given {
			given = append(given, s.name)
		}
	}
	switch {
	case len(given) == 0:
		c.add("", "there is nothing to show; set one of password, netrc, ssh_key_file, github_app and helper")
		return
	case len(given) > 1:
		c.add(given[1], fmt.Sprintf("%s is set already; remove one of them", given[0]))
		return
	case given[0] == "ssh_key_file" && e.KnownHostsFile == "":
		c.add("ssh_key_file", "it takes the keys of the host to know it; set known_hosts_file, as ssh-keyscan writes it")
	case given[0] != "ssh_key_file" && scheme == "ssh":
		c.add(given[0], "ssh takes a key; set ssh_key_file and known_hosts_file")
	case given[0] == "github_app" && (e.GitHubInstallation == 0 || e.GitHubKey == ""):
		c.add("github_app", "a GitHub App needs github_installation and github_key_file, too")
	}
	c.add("password", checkSendable(e.Password.Reveal()))
	c.add("username", checkSendable(e.Username))
	c.add("github_api", checkHTTPS(e.GitHubAPI))
	c.add("helper", checkHelper(e.Helper))
}

// checkHelper refuses commands of the shell, for which git has "!". What is secret in one
// would be on the command lines of git and of the shell, for all on this machine to see.
func checkHelper(program string) string {
	if strings.HasPrefix(strings.TrimSpace(program), "!") {
		return "a command of the shell is on the command line of a process, where everybody on this machine can read it; write it into a file that can be executed, and the name of that here"
	}
	return ""
}

// checkRepositoryURL says what is wrong with the beginning of the URL of a repository.
func checkRepositoryURL(text string) (scheme, problem string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return "", `not the beginning of the URL of a repository; write for instance https://git.example.com/team`
	case u.Scheme == "http":
		return "", "http would show the credential to all on the way; write https"
	case u.Scheme != "https" && u.Scheme != "ssh":
		return "", "the scheme must be https or ssh"
	case u.RawQuery != "" || u.Fragment != "":
		return "", "the URL ends before a query"
	}
	// The user of ssh is no secret; it is part of the address of a repository.
	if _, has := u.User.Password(); has || u.User != nil && u.Scheme != "ssh" {
		return "", "what stands before the @ of the URL is not used; write it as username and password, or a token as password"
	}
	return u.Scheme, ""
}

func (c *Config) issuerProblems() []problem {
	var problems []problem
	for _, name := range slices.Sorted(maps.Keys(c.Issuers)) {
		entry := c.Issuers[name]
		check := &checker{key: join("issuers", name)}
		check.add("", checkName(name))
		check.rules("issuers", c, &entry)
		check.add("url", checkHTTPS(entry.URL))
		if len(entry.Audience) == 0 {
			check.add("audience", "an issuer makes tokens for many; write whom those are for that are meant here, such as [weir]")
		}
		for i, claim := range entry.Claims {
			if name, value, ok := strings.Cut(claim, "="); !ok || name == "" || value == "" {
				check.addItem("claims", i, quote(claim)+" is not NAME=VALUE")
			}
		}
		problems = append(problems, check.problems...)
	}
	return problems
}

// actions are what an access rule can be about.
var actions = []string{ActionRead, ActionPublish, ActionAdmin}

func (c *Config) accessProblems() []problem {
	var problems []problem
	for i, rule := range c.Access {
		check := &checker{key: fmt.Sprintf("access[%d]", i)}
		check.rules("access", c, &rule)
		check.problems = append(check.problems, checkPatterns(join(check.key, "match"), rule.Match)...)
		if rule.Effect == EffectAllow && len(rule.Subjects) == 0 {
			check.add("subjects", `say who is allowed; for everybody write [anyone]`)
		}
		if rule.Effect == EffectAllow && rule.Reason != "" {
			check.add("reason", "only a rule that denies has a reason; remove it")
		}
		for j, action := range rule.Actions {
			if !slices.Contains(actions, action) {
				check.addItem("actions", j, quote(action)+" is not one of "+strings.Join(actions, ", "))
			}
		}
		problems = append(problems, check.problems...)
	}
	return problems
}
