package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/audit"
	"github.com/goweir/weir/internal/auth"
	"github.com/goweir/weir/internal/auth/accounts"
	"github.com/goweir/weir/internal/auth/idtoken"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/limit"
	"github.com/goweir/weir/internal/policy"
	"github.com/goweir/weir/internal/server"
)

// A door is who may come in, how often, and what they may do. What a reload
// replaces is in rules; the counts of the limits live on.
type door struct {
	rules    atomic.Pointer[rules]
	rates    *limit.Rates
	inFlight *limit.InFlight     // what is answered from the store, or may be
	waiting  *limit.InFlight     // what waits for a fetch, or did
	refused  func(reason string) // hears why somebody was turned away
}

// openDoor makes the door, its record, and what encrypts the way to it.
func (d *daemon) openDoor(cfg *config.Config) (err error) {
	if d.encryption, err = d.newEncryption(cfg); err != nil {
		return err
	}
	d.door = newDoor(cfg, d.metrics.Refused)
	rules, err := newRules(cfg, nil, d.door.mayTry)
	if err != nil {
		return err
	}
	d.door.rules.Store(rules)
	if cfg.Audit.File == "" {
		return nil
	}
	d.audit, err = audit.Open(audit.Options{
		Path: cfg.Audit.File, MaxSize: int64(cfg.Audit.MaxSize), MaxFiles: cfg.Audit.MaxFiles, OnChange: d.auditChanged,
	})
	if err != nil {
		rules.auth.Close()
		return fmt.Errorf("audit.file: %w", err)
	}
	return nil
}

// closeDoor ends what openDoor has begun.
func (d *daemon) closeDoor() error {
	d.door.rules.Load().auth.Close()
	err := d.encryption.close()
	if d.audit == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), auditGrace)
	defer cancel()
	return errors.Join(err, d.audit.Close(ctx))
}

// reopenAudit goes on with a new file when the old one was moved away.
func (d *daemon) reopenAudit(ctx context.Context) {
	if d.audit == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, auditGrace)
	defer cancel()
	if err := d.audit.Reopen(ctx); err != nil {
		d.log.Error("the audit log cannot be opened again", "error", err)
	}
}

// auditGrace is how long the end of the server waits for the last entries.
const auditGrace = 5 * time.Second

// auditChanged tells when the audit log cannot be written, and when it can again.
func (d *daemon) auditChanged(err error) {
	if err != nil {
		d.log.Error("the audit log cannot be written; what it misses is counted", "error", err)
		return
	}
	d.log.Info("the audit log is written again")
}

// rules are the settings of a door.
type rules struct {
	auth   *auth.Authenticator
	policy *policy.Policy
	tokens *accounts.File
	admin  []netip.Prefix // that need no credentials for the operation of the server
	open   bool           // everybody may come in, and read everything
	must   bool           // who asks must be known
	made   string         // what the authenticator was made of
}

// known reports whether there is somebody to log in as.
func (r *rules) known() bool { return r.must || !r.tokens.Empty() }

// nobody reports that nobody is anybody in particular, whatever they show: clients may
// carry credentials for somebody else.
func (r *rules) nobody() bool { return r.open && r.tokens.Empty() }

// newDoor returns a door that has no rules yet.
func newDoor(cfg *config.Config, refused func(reason string)) *door {
	return &door{
		refused:  refused,
		rates:    limit.NewRates(float64(cfg.Limits.Rate), cfg.Limits.Burst),
		inFlight: limit.NewInFlight(cfg.Limits.InFlight, cfg.Limits.InFlightPerClient),
		waiting:  limit.NewInFlight(cfg.Limits.InFlight, cfg.Limits.InFlightPerClient),
	}
}

// newRules makes the rules of a configuration. What an authenticator has learned
// outlives a reload that does not change it: it is that of old then, which may be nil.
// mayTry is asked before passwords are tried.
func newRules(cfg *config.Config, old *rules, mayTry func(netip.Addr) error) (*rules, error) {
	made := fmt.Sprint(TokensFile(cfg), cfg.Auth, cfg.Issuers, cfg.TLS.ClientCerts, fileTimes(cfg))
	same := old != nil && old.made == made
	tokens, err := loadTokens(cfg, old, same)
	if err != nil {
		return nil, fmt.Errorf("auth.tokens: %w", err)
	}
	o := auth.Options{Required: !cfg.Auth.Anonymous, File: tokens, ClientCerts: cfg.TLS.ClientCerts != config.ClientCertsOff, MayTry: mayTry}
	if o.Issuers, err = issuers(cfg); err != nil {
		return nil, err
	}
	r := &rules{tokens: tokens, must: o.Required, made: made}
	for _, list := range []struct {
		key  string
		text config.Names
		to   *[]netip.Prefix
	}{
		{"auth.trusted_proxies", cfg.Auth.TrustedProxies, &o.Trusted},
		{"auth.allow_networks", cfg.Auth.AllowNetworks, &o.Allow},
		{"auth.deny_networks", cfg.Auth.DenyNetworks, &o.Deny},
		{"admin.allow_networks", cfg.Admin.AllowNetworks, &r.admin},
	} {
		if *list.to, err = networks(list.text); err != nil {
			return nil, fmt.Errorf("%s: %w", list.key, err)
		}
	}
	if r.policy, err = Policy(cfg); err != nil {
		return nil, err
	}
	r.open = !o.Required && len(cfg.Access)+len(o.Issuers)+len(o.Trusted)+len(o.Allow)+len(o.Deny) == 0 && !o.ClientCerts
	if same {
		r.auth = old.auth
	} else if r.auth, err = auth.New(o); err != nil {
		return nil, err
	}
	if err := r.checkOperation(cfg); err != nil {
		r.leave(old)
		return nil, err
	}
	return r, nil
}

// loadTokens reads the file of tokens, into the old ones if those are kept.
func loadTokens(cfg *config.Config, old *rules, keep bool) (*accounts.File, error) {
	if keep {
		return old.tokens, old.tokens.Reload()
	}
	return accounts.Load(TokensFile(cfg))
}

// fileTimes are when the files that issuers are made of have changed.
func fileTimes(cfg *config.Config) []string {
	var times []string
	for _, name := range slices.Sorted(maps.Keys(cfg.Issuers)) {
		if info, err := os.Stat(cfg.Issuers[name].CAFile); err == nil {
			times = append(times, info.ModTime().String())
		}
	}
	return times
}

// leave ends what the rules after these do not have any more.
func (r *rules) leave(next *rules) {
	if next == nil || next.auth != r.auth {
		r.auth.Close()
	}
}

// TokensFile is where the tokens of a server with this configuration are.
func TokensFile(cfg *config.Config) string {
	if cfg.Auth.Tokens != "" {
		return cfg.Auth.Tokens
	}
	return filepath.Join(cfg.Data, "tokens.json")
}

// issuers are the providers of identity tokens of a configuration.
func issuers(cfg *config.Config) ([]idtoken.Issuer, error) {
	var all []idtoken.Issuer
	for _, name := range slices.Sorted(maps.Keys(cfg.Issuers)) {
		c := cfg.Issuers[name]
		i := idtoken.Issuer{
			URL: c.URL, Audiences: c.Audience, Claims: c.Claims, Prefix: c.Prefix,
			NameClaim: c.NameClaim, GroupsClaim: c.GroupsClaim, Grace: time.Duration(c.Grace),
		}
		if c.CAFile != "" {
			client, err := trusting(c.CAFile)
			if err != nil {
				return nil, fmt.Errorf("issuers.%s.ca_file: %w", name, err)
			}
			i.Client = client
		}
		all = append(all, i)
	}
	return all, nil
}

// trusting is a client that trusts the authorities of a file besides those of the
// system.
func trusting(file string) (*http.Client, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	return &http.Client{Transport: transport}, nil
}

// networks reads addresses and networks.
func networks(all config.Names) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range all {
		p, ok := config.ParseNetwork(text)
		if !ok {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		list = append(list, p)
	}
	return list, nil
}

// Policy compiles the access rules of a configuration.
func Policy(cfg *config.Config) (*policy.Policy, error) {
	all := make([]policy.Rule, 0, len(cfg.Access))
	for i, a := range cfg.Access {
		r := policy.Rule{Name: a.Name, Match: a.Match, Subjects: a.Subjects, Effect: policy.Effect(a.Effect), Reason: a.Reason}
		if r.Name == "" {
			r.Name = fmt.Sprintf("access[%d]", i)
		}
		for _, action := range a.Actions {
			r.Actions = append(r.Actions, policy.Action(action))
		}
		all = append(all, r)
	}
	p, err := policy.Compile(all, policy.Options{})
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	return p, nil
}

// Enter implements server.Door.
func (d *door) Enter(r *http.Request) (policy.Subject, server.Pass, error) {
	s, err := d.who(r)
	if err != nil {
		return s, nil, d.turnAway(r, s, err)
	}
	client, key := names(r, s)
	if ok, wait := d.rates.Allow(key); !ok {
		d.refused("rate")
		return s, nil, tooMuch("it asks too often", wait)
	}
	leave, ok := d.inFlight.Acquire(key)
	if !ok {
		d.refused("in-flight")
		return s, nil, tooMuch("too many of its requests, or of all, are being answered", limit.RetryAfter)
	}
	p := passes.Get().(*pass)
	*p = pass{door: d, client: client, key: key, leave: leave}
	return s, p, nil
}

// A pass is somebody inside. Who waits for a fetch gives up the place among those
// who are answered from the store for one among those who wait, so that upstreams
// that hang take no place from who wants what is stored.
type pass struct {
	door   *door
	client string
	key    string // whose share of the server it takes
	leave  func() // gives its place back
	waits  bool
}

// passes are used again and again, so that coming in allocates nothing.
var passes = sync.Pool{New: func() any { return new(pass) }}

// Client implements server.Pass.
func (p *pass) Client() string { return p.client }

// Wait implements server.Pass.
func (p *pass) Wait() error {
	if p.waits {
		return nil
	}
	leave, ok := p.door.waiting.Acquire(p.key)
	if !ok {
		p.door.refused("waiting")
		return tooMuch("too many of its requests, or of all, wait for what is not stored here yet", limit.RetryAfter)
	}
	p.leave()
	p.leave, p.waits = leave, true
	return nil
}

// Leave implements server.Pass.
func (p *pass) Leave() {
	p.leave()
	*p = pass{}
	passes.Put(p)
}

// turnAway counts somebody who is not let in and returns what to say. Credentials that
// are wrong cost a request of the address, which is all that is known of who shows
// them: so nobody guesses quicker than others ask, and who shows right ones pays
// nothing for the many that may share an address.
func (d *door) turnAway(r *http.Request, s policy.Subject, err error) error {
	reason := why(s, err)
	d.refused(reason)
	if reason != wrongCredentials {
		return err
	}
	if ok, wait := d.rates.Allow(address(r, s)); !ok {
		_, hint := artifact.Explain(err)
		return &artifact.Error{Class: artifact.ErrTooMany, RetryAfter: wait, Reason: "wrong credentials come from this address too often", Hint: hint}
	}
	return err
}

// mayTry lets passwords be tried from where not too many were wrong. Wrong tokens
// hold up nobody: right ones cannot be guessed.
func (d *door) mayTry(from netip.Addr) error {
	if ok, wait := d.rates.Ready(limit.Client(from).String()); !ok {
		return &artifact.Error{
			Class: artifact.ErrTooMany, RetryAfter: wait,
			Reason: "too many passwords from this address were wrong, or too much is asked from it",
			Hint:   "wait a moment; tokens, which weir login takes, are not held up by this",
		}
	}
	return nil
}

// wrongCredentials is why those are not let in who are not who they say they are.
const wrongCredentials = "credentials"

// why is the reason in few words for which somebody is not let in.
func why(s policy.Subject, err error) string {
	switch artifact.Class(err) {
	case artifact.ErrUnauthorized:
		if errors.Is(err, auth.ErrUnauthenticated) {
			return "no-credentials" // as the first request of many clients
		}
		return wrongCredentials
	case artifact.ErrForbidden:
		if s.Name != "" {
			return "operation"
		}
		return "network"
	case artifact.ErrTooMany:
		return "passwords"
	}
	return "issuer"
}

// who says who asks. Where that makes no difference, it is not found out.
func (d *door) who(r *http.Request) (policy.Subject, error) {
	rules := d.rules.Load()
	if rules.open && (len(r.Header["Authorization"]) == 0 || rules.nobody()) {
		return policy.Subject{}, nil
	}
	return rules.authenticate(r)
}

// authenticate says who asks, and from where even if that is not known.
func (r *rules) authenticate(req *http.Request) (policy.Subject, error) {
	s, err := r.auth.Authenticate(req)
	if err != nil {
		s.Addr = r.auth.ClientAddr(req)
	}
	return s, err
}

// MayRead implements server.Door.
func (d *door) MayRead(s policy.Subject, module string) policy.Decision {
	rules := d.rules.Load()
	if rules.open {
		return policy.Decision{Allowed: true}
	}
	return rules.policy.Decide(s, policy.Read, module)
}

// names are who asks, as those who take turns with others, and whose share of the
// server they take: that of the name, from however many addresses, or that of the
// address where there is none.
func names(r *http.Request, s policy.Subject) (client, key string) {
	from := address(r, s)
	if s.Name == "" {
		return from, from
	}
	client = from + " @" + s.Name
	return client, client[len(from)+1:]
}

// address is where a request comes from, as limits count it.
func address(r *http.Request, s policy.Subject) string {
	if s.Addr.IsValid() {
		return limit.Client(s.Addr).String()
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if !strings.Contains(host, ":") {
		return host
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	return limit.Client(addr).String()
}

func tooMuch(what string, wait time.Duration) error {
	return &artifact.Error{
		Class: artifact.ErrTooMany, RetryAfter: wait,
		Reason: "this client has had its share of the server: " + what,
		Hint:   "wait a moment, or ask those who run this proxy for a larger share (limits)",
	}
}

// record adds a request to the audit log.
func record(l *audit.Log, r *http.Request, out server.Outcome) {
	e := audit.Entry{
		ID: out.ID, Who: out.Subject.Name, From: r.RemoteAddr, Action: r.Method, Target: r.URL.Path,
		Module: out.Name.Module, Version: out.Name.Version,
		Decision: "allow", Rule: out.Decision.Rule, Reason: out.Decision.Why, Status: out.Status,
	}
	if out.Subject.Addr.IsValid() {
		e.From = out.Subject.Addr.String()
	}
	if !out.Decision.Allowed {
		e.Decision = "deny"
	}
	if e.Reason == "" && out.Err != nil {
		e.Reason, _ = artifact.Explain(out.Err)
	}
	l.Record(e)
}

// explain says how it is decided whether somebody may do something with a module.
func (d *daemon) explain(q admin.Question) admin.Explanation {
	return admin.Explain(d.door.rules.Load().policy, q, policy.Subject{Name: q.Subject, Groups: q.Groups})
}
