package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Flags are what is given on the command line.
type Flags struct {
	Config string // name of the configuration file; empty if not given

	Listen, Data, Upstream, Sumdb, Private *string // nil if not given
}

// environment looks up an environment variable, as [os.LookupEnv] does.
type environment func(name string) (value string, ok bool)

// get returns the value of a variable. An empty one counts as not set.
func (e environment) get(name string) string {
	value, _ := e(name)
	return value
}

// Provenance says where each value comes from, by key: such as "flag --listen",
// "WEIR_LISTEN", "weir.yaml:12", "GOPROXY in /usr/local/go/go.env" or "default". For an
// entry of a map or a list it may also be a key: that of the value that is the default.
type Provenance map[string]string

// Load returns the configuration of weir serve, and where its values come from. Of
// several sources the first one counts that gives a value: flags, environment,
// configuration file, what the go command is told on this machine, defaults.
//
// The file is the one of flags.Config, or else of WEIR_CONFIG, or else there is none.
// A WEIR_… variable that is empty counts as not set; a value that may be secret can
// be in a file instead, named by the variable with _FILE appended. In the file there are
// keys with _file for that, and in entries of collections with _env for variables.
//
// The error joins all problems that there are; each has a line of text without
// secrets and, if it is of the file, the line of the file with a caret. The context
// bounds the go command, which is run for at most 5 s, and only if there is one whose
// go.env file is not to be found.
func Load(ctx context.Context, flags Flags, environ func(name string) (string, bool)) (*Config, Provenance, error) {
	l := &loader{environ: environ, origins: map[string]origin{}}
	given := slices.Concat(l.fromFile(flags), l.fromEnvironment(), fromFlags(flags))
	settings := slices.Concat(defaults(), machineSettings(ctx, environ, given), given)
	if err := context.Cause(ctx); err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	for _, s := range settings {
		l.apply(&l.config, s)
	}
	for _, b := range l.blocks {
		l.build(b)
	}
	l.validate()
	if len(l.problems) > 0 {
		return nil, nil, errors.Join(l.problems...)
	}
	return &l.config, l.provenance(), nil
}

type loader struct {
	environ  environment
	config   Config
	blocks   []*block
	origins  map[string]origin
	problems []error
}

func defaults() []setting {
	var settings []setting
	for _, l := range leaves {
		if text, ok := l.field.Tag.Lookup("default"); ok {
			settings = append(settings, newSetting(l.key, text, "default"))
		}
	}
	return settings
}

func (l *loader) fromFile(flags Flags) []setting {
	name := cmp.Or(flags.Config, l.environ.get("WEIR_CONFIG"))
	if name == "" {
		return nil
	}
	text, err := readFile(name)
	if err != nil {
		l.problems = append(l.problems, fmt.Errorf("configuration file: %w", err))
		return nil
	}
	l.config.file = name
	f := parseFile(name, text)
	l.problems = append(l.problems, f.problems...)
	l.blocks = f.blocks
	for _, b := range f.blocks {
		b.settings = l.withTexts(b.settings)
	}
	return l.withTexts(f.settings)
}

// withTexts reads what settings name the place of.
func (l *loader) withTexts(settings []setting) []setting {
	for i, s := range settings {
		if s.at == (place{}) {
			continue
		}
		text, err := l.text(s.at)
		if err != nil {
			l.problems = append(l.problems, s.origin.problem(s.key, -1, "%v", err))
		}
		settings[i].text = text
	}
	return settings
}

func (l *loader) fromEnvironment() []setting {
	var settings []setting
	for _, leaf := range leaves {
		name := leaf.variable()
		s := newSetting(leaf.key, l.environ.get(name), name)
		if file := l.environ.get(name + "_FILE"); leaf.isSecret() && file != "" {
			s = l.fromSecretFile(s, name, file)
		}
		if s.text != "" {
			settings = append(settings, s)
		}
	}
	return settings
}

// fromSecretFile is a setting with the content of the file that a variable with _FILE
// appended names.
func (l *loader) fromSecretFile(s setting, variable, file string) setting {
	if s.text != "" {
		l.problems = append(l.problems, fmt.Errorf("%s and %s_FILE are both set; keep one of them", variable, variable))
	}
	text, err := secretFile(file)
	if err != nil {
		l.problems = append(l.problems, fmt.Errorf("%s_FILE: %w", variable, err))
	}
	s = newSetting(s.key, text, variable+"_FILE")
	s.at = place{fileSuffix, file}
	return s
}

func fromFlags(flags Flags) []setting {
	given := map[string]*string{
		"listen": flags.Listen, "data": flags.Data, "upstream": flags.Upstream, "sumdb": flags.Sumdb, "private": flags.Private,
	}
	var settings []setting
	for _, l := range leaves {
		if text := given[l.flag()]; text != nil {
			settings = append(settings, newSetting(l.key, *text, "flag --"+l.flag()))
		}
	}
	return settings
}

// apply gives a leaf of an entry, or of the configuration itself, its value. A text that
// stands for none is a problem, and leaves the leaf as it is.
func (l *loader) apply(entry any, s setting) {
	if err := s.leaf.set(entry, s.item, s.text); err != nil {
		l.problems = append(l.problems, s.origin.problem(s.key, -1, "%v", err))
		return
	}
	l.origins[s.key] = s.origin
	delete(l.config.places, s.key)
	if s.at != (place{}) {
		l.config.setPlace(s.key, s.at)
	}
}

// build adds an entry of a collection to the configuration.
func (l *loader) build(b *block) {
	value := reflect.New(b.of.field.Type.Elem())
	entry := value.Interface()
	l.origins[b.key] = b.origin
	for _, s := range b.settings {
		l.apply(entry, s)
	}
	for _, leaf := range b.of.leaves {
		key := join(b.key, leaf.name())
		if _, ok := l.origins[key]; !ok {
			l.fill(entry, leaf, key)
		}
	}
	if u, ok := entry.(*Upstream); ok {
		u.URL = Secret(withScheme(u.URL.Reveal()))
	}
	b.of.put(&l.config, b.name, value.Elem())
}

// fill gives a leaf of an entry the value that it has if none is given.
func (l *loader) fill(entry any, leaf leaf, key string) {
	text, ok := leaf.field.Tag.Lookup("default")
	label := "default"
	r, isRoute := entry.(*Route)
	if private, has := leaf.field.Tag.Lookup("private"); has && isRoute && r.Private {
		text, ok, label = private, private != "", "private"
	} else if above, has := leaf.above(); has {
		leaf.in(entry).Set(above.in(&l.config))
		l.origins[key] = origin{label: above.key}
	}
	if ok {
		l.apply(entry, setting{leaf: leaf, key: key, text: text, origin: origin{label: label}})
	}
}

func (l *loader) validate() {
	for _, p := range l.config.problems() {
		if _, ok := l.origins[p.key]; !ok && p.key == "upstream" {
			l.problems = append(l.problems, errNoUpstream)
			continue
		}
		l.problems = append(l.problems, l.originOf(p.key).problem(p.key, p.item, "%s", p.text))
	}
}

// originOf is where the value of a key comes from, or else what it belongs to.
func (l *loader) originOf(key string) origin {
	for key != "" {
		if o, ok := l.origins[key]; ok {
			return o
		}
		key, _ = split(key)
	}
	return origin{}
}

var errNoUpstream = errors.New(`no upstream: GOPROXY is set nowhere on this machine; set --upstream (or WEIR_UPSTREAM, or upstream: in the ` +
	`configuration file), for instance to https://proxy.example.com, or to "off" to serve only what is stored`)

// provenance leaves out what is given nowhere in an entry of a collection.
func (l *loader) provenance() Provenance {
	from := Provenance{}
	for key, o := range l.origins {
		from[key] = o.label
	}
	for _, leaf := range leaves {
		from[leaf.key] = cmp.Or(from[leaf.key], "default")
	}
	return from
}
