package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A collection is a map or a list of the configuration whose entries are structs.
type collection struct {
	key    string
	field  reflect.StructField
	entry  string // the key of its entries: upstreams.NAME or routes[]
	leaves []leaf // of an entry
}

func isCollection(t reflect.Type) bool {
	return (t.Kind() == reflect.Map || t.Kind() == reflect.Slice) && t.Elem().Kind() == reflect.Struct
}

func newCollection(key string, field reflect.StructField) collection {
	c := collection{key: key, field: field, entry: key + ".NAME"}
	if field.Type.Kind() == reflect.Slice {
		c.entry = key + "[]"
	}
	c.leaves, _, _ = walk(field.Type.Elem(), c.entry+".", nil)
	return c
}

func collectionOf(key string) (collection, bool) {
	for _, c := range collections {
		if c.key == key {
			return c, true
		}
	}
	return collection{}, false
}

func (c collection) isList() bool { return c.field.Type.Kind() == reflect.Slice }

// An element is one entry of a collection.
type element struct {
	name  string // empty in a list
	key   string // upstreams.company
	value any    // points to a copy
}

// entries are those of the collection, in order of the list or of their names.
func (c collection) entries(config *Config) []element {
	all := reflect.ValueOf(config).Elem().FieldByIndex(c.field.Index)
	var entries []element
	add := func(name, key string, v reflect.Value) {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		entries = append(entries, element{name, key, p.Interface()})
	}
	if c.isList() {
		for i, v := range all.Seq2() {
			add("", fmt.Sprintf("%s[%d]", c.key, i.Int()), v)
		}
		return entries
	}
	for name, v := range all.Seq2() {
		add(name.String(), join(c.key, name.String()), v)
	}
	slices.SortFunc(entries, func(a, b element) int { return strings.Compare(a.name, b.name) })
	return entries
}

// put adds an entry to the collection.
func (c collection) put(config *Config, name string, entry reflect.Value) {
	all := reflect.ValueOf(config).Elem().FieldByIndex(c.field.Index)
	switch {
	case c.isList():
		all.Set(reflect.Append(all, entry))
		return
	case all.IsNil():
		all.Set(reflect.MakeMap(c.field.Type))
	}
	all.SetMapIndex(reflect.ValueOf(name), entry)
}
