package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
// "WEIR_LISTEN", "weir.yaml:12", "GOPROXY in /usr/local/go/go.env" or "default".
type Provenance map[string]string

// Load returns the configuration of weir serve, and where its values come from. Of
// several sources the first one counts that gives a value: flags, environment,
// configuration file, what the go command is told on this machine, defaults.
//
// The file is the one of flags.Config, or else of WEIR_CONFIG, or else there is none.
// A WEIR_… variable that is empty counts as not set; a value that may be secret can
// be in a file instead, named by the variable with _FILE appended.
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
		l.apply(s)
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
	origins  map[string]origin
	problems []error
}

func defaults() []setting {
	var settings []setting
	for _, l := range leaves {
		if text, ok := l.field.Tag.Lookup("default"); ok {
			settings = append(settings, setting{l.key, text, origin{label: "default"}})
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
	settings, problems := parseFile(name, text)
	l.problems = append(l.problems, problems...)
	return settings
}

func (l *loader) fromEnvironment() []setting {
	var settings []setting
	for _, leaf := range leaves {
		name := leaf.variable()
		value := l.environ.get(name)
		if file := l.environ.get(name + "_FILE"); leaf.isSecret() && file != "" {
			if value != "" {
				l.problems = append(l.problems, fmt.Errorf("%s and %s_FILE are both set; keep one of them", name, name))
			}
			name += "_FILE"
			value = l.secretFile(name, file)
		}
		if value != "" {
			settings = append(settings, setting{leaf.key, value, origin{label: name}})
		}
	}
	return settings
}

// secretFile is the content of the file that a variable names.
func (l *loader) secretFile(variable, name string) string {
	text, err := readFile(name)
	if text = strings.TrimSpace(text); err == nil && text == "" {
		err = fmt.Errorf("%s is empty", name)
	}
	if err != nil {
		l.problems = append(l.problems, fmt.Errorf("%s: %w", variable, err))
	}
	return text
}

func fromFlags(flags Flags) []setting {
	given := map[string]*string{
		"listen": flags.Listen, "data": flags.Data, "upstream": flags.Upstream, "sumdb": flags.Sumdb, "private": flags.Private,
	}
	var settings []setting
	for _, l := range leaves {
		if text := given[l.flag()]; text != nil {
			settings = append(settings, setting{l.key, *text, origin{label: "flag --" + l.flag()}})
		}
	}
	return settings
}

// apply gives a leaf its value. A text that stands for none is a problem, and leaves
// the leaf as it is.
func (l *loader) apply(s setting) {
	leaf, _ := leafOf(s.key)
	if err := leaf.set(&l.config, s.text); err != nil {
		l.problems = append(l.problems, s.origin.problem(s.key, -1, "%v", err))
		return
	}
	l.origins[s.key] = s.origin
}

func (l *loader) validate() {
	for _, p := range l.config.problems() {
		if _, ok := l.origins[p.key]; !ok && p.key == "upstream" {
			l.problems = append(l.problems, errNoUpstream)
			continue
		}
		l.problems = append(l.problems, l.origins[p.key].problem(p.key, p.item, "%s", p.text))
	}
}

var errNoUpstream = errors.New(`no upstream: GOPROXY is set nowhere on this machine; set --upstream (or WEIR_UPSTREAM, or upstream: in the ` +
	`configuration file), for instance to https://proxy.example.com, or to "off" to serve only what is stored`)

func (l *loader) provenance() Provenance {
	from := Provenance{}
	for _, leaf := range leaves {
		from[leaf.key] = cmp.Or(l.origins[leaf.key].label, "default")
	}
	return from
}
