// Package plan decides what a survey of mirrors asks on this machine: whom, with which
// credentials, and for which modules.
//
// It promises that only modules of a checksum database are asked for, which are public by
// that, and none that the settings of the go command keep private; and that credentials
// are taken from where the go command has them, for the entries of GOPROXY alone. Looking
// modules up in the checksum database is all that it asks of the network.
package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/goauth"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/client/mirrors/survey"
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
	if len(list) != 1 || list[0].URL == "" || list[0].IsFolder() {
		return source.Entry{}, errors.New("a mirror is one http or https URL, such as https://proxy.example.com")
	}
	return list[0], nil
}

// Make makes the options of a survey on this machine.
//
// What is asked for are versions of the go.sum of a folder, unless GOPRIVATE, GONOPROXY or
// GONOSUMDB match them, and only those that the checksum database of this machine knows: a
// module that nobody has declared private yet is thereby not told to anybody who has not
// heard of it from the go command before. Where that leaves nothing, popular modules whose
// records are built in take their place.
//
// The entries of GOPROXY are asked with the credentials that the go command has for them;
// no other mirror gets any that is not in its own URL.
func Make(ctx context.Context, env *goenv.Env, r Request) (survey.Options, error) {
	current, err := source.ParseList(cmp.Or(env.Value("GOPROXY"), "direct"))
	if err != nil {
		return survey.Options{}, fmt.Errorf("GOPROXY: %w", err)
	}
	o := survey.Options{Current: current, Private: throughProxies(env), UserAgent: r.UserAgent}
	if o.Mirrors, err = mirrorsFor(ctx, env, current, r); err != nil {
		return survey.Options{}, err
	}
	if len(o.Mirrors) == 0 {
		return o, nil
	}
	return o, addModules(ctx, env, r, &o)
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

// mirrorsFor are the mirrors to be measured, each of them once, given the GOPROXY in force.
func mirrorsFor(ctx context.Context, env *goenv.Env, current []source.Entry, r Request) ([]survey.Mirror, error) {
	wanted := r.URLs
	if len(wanted) == 0 {
		wanted = current
	}
	if r.Public {
		for _, u := range public {
			wanted = append(slices.Clip(wanted), source.Entry{URL: u})
		}
	}
	var all []survey.Mirror
	for _, e := range wanted {
		if e.URL == "" || e.IsFolder() || slices.ContainsFunc(all, func(m survey.Mirror) bool { return mirrors.SameURL(m.Entry, e) }) {
			continue
		}
		m := survey.Mirror{Entry: e, Listed: slices.ContainsFunc(current, func(c source.Entry) bool { return mirrors.SameURL(c, e) })}
		if m.Listed {
			var err error
			if m.Header, err = credentials(ctx, env, e); err != nil {
				return nil, err
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// credentials are those that the go command has for a mirror.
func credentials(ctx context.Context, env *goenv.Env, e source.Entry) (http.Header, error) {
	u, err := url.Parse(e.URL)
	if err != nil {
		return nil, fmt.Errorf("%s is not a URL", e) // the cause may cite a password
	}
	h, _, err := goauth.Header(ctx, env, u)
	if h == nil && err != nil {
		return nil, fmt.Errorf("credentials for %s: %w", e, err)
	}
	return h, nil
}

// addModules adds what is asked for.
func addModules(ctx context.Context, env *goenv.Env, r Request, o *survey.Options) error {
	modules, err := modsource.Open(ctx, env, modsource.Options{UserAgent: r.UserAgent})
	if err != nil {
		return err
	}
	defer modules.Close()
	if modules.Sums() != nil {
		o.SumDB = modules.Sums().Name()
	}
	if r.Dir != "" {
		sums, err := ownSums(env, r.Dir)
		if err != nil {
			o.Notes = append(o.Notes, fmt.Sprintf("The go.sum here does not count: %v.", err))
		}
		addOwn(ctx, modules, sums, o)
	}
	if len(o.Modules) == 0 {
		o.Modules = popular()
		o.Notes = append(o.Notes, "Asked for were popular modules.")
	}
	return nil
}

// addOwn adds modules of a go.sum.
func addOwn(ctx context.Context, modules *modsource.Modules, sums []byte, o *survey.Options) {
	all := slices.DeleteFunc(parseSums(sums), func(m survey.Module) bool { return modules.Private(m.Path) || modules.Unproven(m.Path) })
	if len(all) == 0 {
		return
	}
	o.Modules = proven(ctx, modules.Sums().Name(), modules.Sums().Mirror(), sample(all, survey.MaxModules))
	if len(o.Modules) == 0 {
		o.Notes = append(o.Notes, "The checksum database vouched for no module of the go.sum here, so that none of them was asked for.")
		return
	}
	o.Notes = append(o.Notes, fmt.Sprintf("Asked for were %d modules of the go.sum here that the checksum database knows.", len(o.Modules)))
}

// maxSums is how much of a go.sum is read, in bytes.
const maxSums = 16 << 20

// ownSums is what the go.sum of the module that a folder is in holds; empty where there is
// none.
func ownSums(env *goenv.Env, dir string) ([]byte, error) {
	files, err := mainmod.Find(dir, mainmod.SettingsOf(env))
	if errors.Is(err, mainmod.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(files.Sum)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSums))
}

// Bounds of the lookups in the checksum database before the measurement.
const (
	lookupTime = 15 * time.Second // for all
	maxLookups = 4                // at a time
)

// proven are those of all modules that the checksum database knows, with the hashes it has.
func proven(ctx context.Context, name string, db source.Source, all []survey.Module) []survey.Module {
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
	var known []survey.Module
	for i, m := range all {
		if found[i] {
			known = append(known, m)
		}
	}
	return known
}

// lookUp asks the checksum database for the hashes of a module.
func lookUp(ctx context.Context, name string, db source.Source, m survey.Module) (survey.Module, bool) {
	n := artifact.Name{Kind: artifact.SumLookup, DB: name, Module: m.Path, Version: m.Version}
	record, err := modsource.Read(ctx, db, n)
	if err != nil {
		return m, false
	}
	for _, r := range parseSums(record) {
		if r.Path == m.Path && r.Version == m.Version {
			return r, true
		}
	}
	return m, false
}
