package config

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Print writes the configuration as a file that Load would read, with comments that
// say where each value comes from. Secrets are redacted; of those that are in a file
// or a variable of their own it writes the name of that. What is empty in an entry of a map or a list
// is left out.
func Print(w io.Writer, c *Config, from Provenance) error {
	p := &printer{places: c.places, from: from}
	section := ""
	for _, l := range leaves {
		parent, _ := split(l.key)
		if parent != section {
			p.write(parent + ":\n")
			section = parent
		}
		indent := ""
		if parent != "" {
			indent = "  "
		}
		p.leaf(indent, c, l, l.key)
	}
	for _, of := range collections {
		p.collection(of, of.entries(c))
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

type printer struct {
	places map[string]place // of Config
	from   Provenance
	out    strings.Builder
}

func (p *printer) write(text string) { p.out.WriteString(text) }

// setting writes a key with its value and a comment.
func (p *printer) setting(indent, name, value, comment string) {
	p.write(indent + name + ": " + value + " # " + printable(comment) + "\n")
}

// leaf writes a leaf of an entry of a collection, or of the configuration itself.
func (p *printer) leaf(indent string, entry any, l leaf, key string) {
	value := l.value(entry)
	at, elsewhere := p.places[key]
	switch {
	case l.isMap():
		p.texts(indent, value.(map[string]Credential), l.name(), key)
	case elsewhere && l.isCredential():
		p.setting(indent, l.name()+at.suffix, strconv.Quote(at.name), p.from[key])
	case elsewhere:
		p.setting(indent, l.name()+at.suffix, strconv.Quote(at.name), p.from[key]+": "+fmt.Sprint(value))
	default:
		p.setting(indent, l.name(), yamlText(value), p.from[key])
	}
}

// texts writes a map of texts, and then those of the places where others stand.
func (p *printer) texts(indent string, texts map[string]Credential, name, key string) {
	items := map[string]map[string]string{"": {}, fileSuffix: {}, variableSuffix: {}}
	for item, text := range texts {
		if at, ok := p.places[join(key, item)]; ok {
			items[at.suffix][item] = at.name
		} else {
			items[""][item] = text.String()
		}
	}
	for _, suffix := range slices.Sorted(maps.Keys(items)) {
		p.items(indent, items[suffix], name+suffix, key)
	}
}

func (p *printer) items(indent string, texts map[string]string, name, key string) {
	if len(texts) == 0 {
		return
	}
	var items []string
	names := slices.Sorted(maps.Keys(texts))
	for _, item := range names {
		items = append(items, strconv.Quote(item)+": "+strconv.Quote(texts[item]))
	}
	p.setting(indent, name, "{"+strings.Join(items, ", ")+"}", p.from[join(key, names[0])])
}

// collection writes the entries of a collection.
func (p *printer) collection(of collection, entries []element) {
	none := "{}"
	if of.isList() {
		none = "[]"
	}
	if len(entries) == 0 {
		p.setting("", of.key, none, cmp.Or(p.from[of.key], "default"))
		return
	}
	p.write(of.key + ":\n")
	for _, e := range entries {
		indent := "  - "
		if !of.isList() {
			p.write("  " + e.name + ":\n")
			indent = "    "
		}
		for _, l := range of.leaves {
			if isEmpty(l.in(e.value)) {
				continue
			}
			p.leaf(indent, e.value, l, join(e.key, l.name()))
			indent = "    "
		}
	}
}

// isEmpty reports whether a value is an empty text, list or map.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	default:
		return false
	}
}

// yamlText is a value in YAML, on one line.
func yamlText(value any) string {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Slice:
		var quoted []string
		for i := range v.Len() {
			quoted = append(quoted, strconv.Quote(v.Index(i).String()))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case reflect.String:
		return strconv.Quote(fmt.Sprint(value))
	default:
		return fmt.Sprint(value)
	}
}
