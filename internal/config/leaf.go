package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A leaf is one value of the configuration, found by its key: the names of the
// nested yaml keys, joined by dots.
type leaf struct {
	key   string
	field reflect.StructField
	index []int
}

// leaves are all values, in the order of the struct; sections are the keys of the
// structs they are in.
var leaves, sections = walk(reflect.TypeFor[Config](), "", nil)

func walk(t reflect.Type, prefix string, index []int) (leaves []leaf, sections []string) {
	for field := range t.Fields() {
		key, at := prefix+field.Tag.Get("yaml"), append(index[:len(index):len(index)], field.Index...)
		if field.Type.Kind() != reflect.Struct {
			leaves = append(leaves, leaf{key, field, at})
			continue
		}
		within, _ := walk(field.Type, key+".", at)
		leaves, sections = append(leaves, within...), append(sections, key)
	}
	return leaves, sections
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
