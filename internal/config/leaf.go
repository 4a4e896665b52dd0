package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A leaf is one value of the configuration, found by its key: the names of the
// nested yaml keys, joined by dots. That of an entry of a map has NAME in its key, as
// in upstreams.NAME.url, that of an entry of a list [], as in routes[].match.
type leaf struct {
	key   string
	field reflect.StructField
	index []int
}

// leaves are all values besides those of collections, in the order of the struct;
// sections are the keys of the structs they are in.
var leaves, sections, collections = walk(reflect.TypeFor[Config](), "", nil)

func walk(t reflect.Type, prefix string, index []int) (leaves []leaf, sections []string, collections []collection) {
	for field := range t.Fields() {
		if !field.IsExported() {
			continue
		}
		key, at := prefix+field.Tag.Get("yaml"), append(index[:len(index):len(index)], field.Index...)
		switch {
		case field.Type.Kind() == reflect.Struct:
			within, _, _ := walk(field.Type, key+".", at)
			leaves, sections = append(leaves, within...), append(sections, key)
		case isCollection(field.Type):
			collections = append(collections, newCollection(key, field))
		default:
			leaves = append(leaves, leaf{key, field, at})
		}
	}
	return leaves, sections, collections
}

// leafOf finds a leaf, of an entry of a collection too.
func leafOf(key string) (leaf, bool) {
	for _, l := range allLeaves {
		if l.key == key {
			return l, true
		}
	}
	return leaf{}, false
}

// allLeaves are leaves and those of the entries of collections.
var allLeaves = func() []leaf {
	all := slices.Clone(leaves)
	for _, c := range collections {
		all = append(all, c.leaves...)
	}
	return all
}()

// name is the last part of the key, which stands in the file.
func (l leaf) name() string { return l.key[strings.LastIndex(l.key, ".")+1:] }

// variable names the environment variable of the leaf.
func (l leaf) variable() string {
	return "WEIR_" + strings.ToUpper(strings.ReplaceAll(l.key, ".", "_"))
}

// flag is the name of the flag of the leaf, or empty.
func (l leaf) flag() string { return l.field.Tag.Get("flag") }

// above is the leaf whose value that of an entry has if none is given.
func (l leaf) above() (leaf, bool) { return leafOf(l.field.Tag.Get("inherit")) }

// isSecret reports whether the value may be secret, and so may be in a file of its own.
func (l leaf) isSecret() bool {
	return l.field.Type == reflect.TypeFor[Secret]() || l.isCredential()
}

// isCredential reports whether nothing of the value may be shown.
func (l leaf) isCredential() bool {
	return l.field.Type == reflect.TypeFor[Credential]() || l.isMap()
}

// canStandAt reports whether a key with the suffix may name the place of the value. What
// belongs to no entry has a variable already.
func (l leaf) canStandAt(suffix string) bool {
	return l.isSecret() && (suffix == fileSuffix || strings.Contains(l.key, ".NAME.") || strings.Contains(l.key, "[]."))
}

// isHidden reports whether messages show nothing of the value: it is a secret, or may
// hold one where it must not.
func (l leaf) isHidden() bool {
	_, hide := l.field.Tag.Lookup("hide")
	return hide || l.isCredential()
}

// isMap reports whether the leaf is a map of texts.
func (l leaf) isMap() bool { return l.field.Type.Kind() == reflect.Map }

// isList reports whether the leaf is a list of texts.
func (l leaf) isList() bool { return l.field.Type.Kind() == reflect.Slice }

// in is the value of the leaf in the struct that entry points to: a Config, or an entry
// of a collection.
func (l leaf) in(entry any) reflect.Value {
	return reflect.ValueOf(entry).Elem().FieldByIndex(l.index)
}

// value is the value of the leaf in the struct that entry points to.
func (l leaf) value(entry any) any { return l.in(entry).Interface() }

// set gives the leaf the value that a text stands for; of a map, the item of that name.
func (l leaf) set(entry any, item, text string) error {
	v := l.in(entry)
	if item == "" {
		return parse(v, text)
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	value := reflect.New(v.Type().Elem()).Elem()
	if err := parse(value, text); err != nil {
		return err
	}
	v.SetMapIndex(reflect.ValueOf(item), value)
	return nil
}

func parse(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Kind() == reflect.String {
		v.SetString(text)
		return nil
	}
	if v.Kind() == reflect.Bool {
		if text != "true" && text != "false" {
			return fmt.Errorf("%s is neither true nor false", quote(text))
		}
		v.SetBool(text == "true")
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s is not a whole number", quote(text))
	}
	v.SetInt(int64(n))
	return nil
}

// bound is the number that a tag, min or max, allows, as the tag writes it and as
// the leaf counts. There is a min of 0 where there is none else.
func (l leaf) bound(tag string) (text string, n int64, ok bool) {
	text, ok = l.field.Tag.Lookup(tag)
	v := reflect.New(l.field.Type).Elem()
	if !v.CanInt() {
		return "", 0, false
	}
	if !ok {
		return "0", 0, tag == "min"
	}
	if err := parse(v, text); err != nil {
		panic(fmt.Sprintf("config: tag %s of %s: %v", tag, l.key, err))
	}
	return text, v.Int(), true
}

// enum are the values that the leaf may have, or none if it may have any.
func (l leaf) enum() []string {
	tag, ok := l.field.Tag.Lookup("enum")
	if !ok {
		return nil
	}
	return strings.Split(tag, ",")
}
