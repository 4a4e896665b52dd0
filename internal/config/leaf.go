package config

import (
	"encoding"
	"fmt"
	"reflect"
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

// A collection is a map or a list of the configuration whose entries are structs.
type collection struct {
	key    string
	field  reflect.StructField
	entry  string // the key of its entries: upstreams.NAME or routes[]
	leaves []leaf // of an entry
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

func leafOf(key string) (leaf, bool) {
	for _, l := range leaves {
		if l.key == key {
			return l, true
		}
	}
	return leaf{}, false
}

// variable names the environment variable of the leaf.
func (l leaf) variable() string {
	return "WEIR_" + strings.ToUpper(strings.ReplaceAll(l.key, ".", "_"))
}

// flag is the name of the flag of the leaf, or empty.
func (l leaf) flag() string { return l.field.Tag.Get("flag") }

func (l leaf) isSecret() bool { return l.field.Type == reflect.TypeFor[Secret]() }

// value is the value of the leaf.
func (l leaf) value(c *Config) any {
	return reflect.ValueOf(c).Elem().FieldByIndex(l.index).Interface()
}

// set gives the leaf the value that a text stands for.
func (l leaf) set(c *Config, text string) error {
	return parse(reflect.ValueOf(c).Elem().FieldByIndex(l.index), text)
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
