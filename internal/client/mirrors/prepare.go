package mirrors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/goauth"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/goenv"
	"github.com/goweir/weir/internal/source"
)

// A Request says what is to be measured.
type Request struct {
	URLs      []source.Entry // mirrors, instead of those that GOPROXY names
	Public    bool           // the built-in public mirrors, too
	Dir       string         // the folder whose go.sum names what is asked for; empty: the built-in modules
	UserAgent string
}

// ParseURL reads the URL of a mirror, which may lack its scheme, as in GOPROXY. Errors show
// nothing that could be a secret.
func ParseURL(text string) (source.Entry, error) {
	list, err := source.ParseList(text)
	if err != nil {
		return source.Entry{}, cmp.Or(errors.Unwrap(err), err) // without the words about a list
	}
	if len(list) != 1 || list[0].URL == "" || isFolder(list[0]) {
		return source.Entry{}, errors.New("a mirror is one http or https URL, such as https://proxy.example.com")
	}
	return list[0], nil
}

// Prepare makes the options of a measurement on this machine.
//
// What is asked for are versions of the go.sum of a folder, unless GOPRIVATE, GONOPROXY or
// GONOSUMDB match them, and only those that the checksum database of this machine knows: a
// module that nobody has declared private yet is thereby not told to anybody who has not
// heard of it from the go command before. Where that leaves nothing, popular modules whose
// records are built in take their place.
//
// The entries of GOPROXY are asked with the credentials that the go command has for them;
// no other mirror gets any that is not in its own URL.
func Prepare(ctx context.Context, env *goenv.Env, r Request) (Options, error) {
	current, err := source.ParseList(cmp.Or(env.Value("GOPROXY"), "direct"))
	if err != nil {
		return Options{}, fmt.Errorf("GOPROXY: %w", err)
	}
	o := Options{Current: current, Private: throughProxies(env), UserAgent: r.UserAgent}
	if err := o.addMirrors(ctx, env, r); err != nil {
		return Options{}, err
	}
	if len(o.Mirrors) == 0 {
		return o, nil
	}
	return o, o.addModules(ctx, env, r)
}

// throughProxies are the patterns of modules that are kept from the checksum database, but
// not from proxies.
func throughProxies(env *goenv.Env) []string {
	direct := patterns(env, "GONOPROXY")
	return slices.DeleteFunc(patterns(env, "GONOSUMDB"), func(p string) bool { return slices.Contains(direct, p) })
}

// patterns are those of one of the variables GONOPROXY and GONOSUMDB, whose default is
// GOPRIVATE.
func patterns(env *goenv.Env, name string) []string {
	s, _ := env.First(name, "GOPRIVATE")
	return strings.FieldsFunc(s.Value, func(r rune) bool { return r == ',' })
}

// addMirrors adds each mirror once.
func (o *Options) addMirrors(ctx context.Context, env *goenv.Env, r Request) error {
	wanted := r.URLs
	if len(wanted) == 0 {
		wanted = o.Current
	}
	if r.Public {
		for _, u := range public {
			wanted = append(slices.Clip(wanted), source.Entry{URL: u})
		}
	}
	for _, e := range wanted {
		if e.URL == "" || isFolder(e) || slices.ContainsFunc(o.Mirrors, func(m Mirror) bool { return sameURL(m.Entry, e) }) {
			continue
		}
		m := Mirror{Entry: e, Listed: slices.ContainsFunc(o.Current, func(c source.Entry) bool { return sameURL(c, e) })}
		if m.Listed {
			if err := m.addCredentials(ctx, env); err != nil {
				return err
			}
		}
		o.Mirrors = append(o.Mirrors, m)
	}
	return nil
}

func sameURL(a, b source.Entry) bool {
	return strings.TrimSuffix(a.URL, "/") == strings.TrimSuffix(b.URL, "/")
}

// addCredentials adds those that the go command has for the mirror.
func (m *Mirror) addCredentials(ctx context.Context, env *goenv.Env) error {
	u, err := url.Parse(m.Entry.URL)
	if err != nil {
		return fmt.Errorf("%s is not a URL", m.Entry) // the cause may cite a password
	}
	h, _, err := goauth.Header(ctx, env, u)
	if h == nil && err != nil {
		return fmt.Errorf("credentials for %s: %w", m.Entry, err)
	}
	m.Header = h
	return nil
}

// addModules adds what is asked for.
func (o *Options) addModules(ctx context.Context, env *goenv.Env, r Request) error {
	modules, err := modsource.Open(ctx, env, modsource.Options{UserAgent: r.UserAgent})
	if err != nil {
		return err
	}
	defer modules.Close()
	if modules.Sums() != nil {
		o.SumDB = modules.Sums().Name()
	}
	if r.Dir != "" {
		o.addOwn(ctx, modules, r.Dir)
	}
	if len(o.Modules) == 0 {
		o.Modules = Popular()
		o.Notes = append(o.Notes, "Asked for were popular modules.")
	}
	return nil
}

// addOwn adds modules of a folder.
func (o *Options) addOwn(ctx context.Context, modules *modsource.Modules, dir string) {
	sums := findSums(dir)
	all := slices.DeleteFunc(parseSums(sums), func(m Module) bool { return modules.Private(m.Path) || modules.Unproven(m.Path) })
	if len(all) == 0 {
		return
	}
	o.Modules = proven(ctx, modules.Sums().Name(), modules.Sums().Mirror(), sample(all, maxRounds))
	if len(o.Modules) == 0 {
		o.Notes = append(o.Notes, "The checksum database vouched for no module of the go.sum here, so that none of them was asked for.")
		return
	}
	o.Notes = append(o.Notes, fmt.Sprintf("Asked for were %d modules of the go.sum here that the checksum database knows.", len(o.Modules)))
}

// maxSums is how much of a go.sum is read, in bytes.
const maxSums = 16 << 20

// findSums is the go.sum of the module that a folder is in; empty where there is none.
func findSums(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return readSums(filepath.Join(dir, "go.sum"))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

func readSums(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSums))
	if err != nil {
		return ""
	}
	return string(data)
}

// Bounds of the lookups in the checksum database before the measurement.
const (
	lookupTime = 15 * time.Second // for all
	maxLookups = 4                // at a time
)

// proven are those of all modules that the checksum database knows, with the hashes it has.
func proven(ctx context.Context, name string, db source.Source, all []Module) []Module {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found := make([]bool, len(all))
	slots := make(chan struct{}, maxLookups)
	var lookups sync.WaitGroup
	for i := range all {
		lookups.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[i], found[i] = lookUp(ctx, name, db, all[i])
		})
	}
	lookups.Wait()
	var known []Module
	for i, m := range all {
		if found[i] {
			known = append(known, m)
		}
	}
	return known
}

// lookUp asks the checksum database for the hashes of a module.
func lookUp(ctx context.Context, name string, db source.Source, m Module) (Module, bool) {
	n := artifact.Name{Kind: artifact.SumLookup, DB: name, Module: m.Path, Version: m.Version}
	record, err := modsource.Read(ctx, db, n)
	if err != nil {
		return m, false
	}
	for _, r := range parseSums(string(record)) {
		if r.Path == m.Path && r.Version == m.Version {
			return r, true
		}
	}
	return m, false
}
