package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// kinds say of each type of value what the reference page calls it and how the schema
// describes it.
var kinds = map[reflect.Type]struct {
	name   string
	schema map[string]any
}{
	reflect.TypeFor[string]():   {"text", map[string]any{"type": "string"}},
	reflect.TypeFor[Secret]():   {"text, may be secret", map[string]any{"type": "string"}},
	reflect.TypeFor[bool]():     {"true or false", map[string]any{"type": "boolean"}},
	reflect.TypeFor[int]():      {"whole number", map[string]any{"type": "integer"}},
	reflect.TypeFor[Size]():     {"size", map[string]any{"type": []string{"string", "integer"}, "pattern": `^[0-9]+ *([KMG]iB)?$`}},
	reflect.TypeFor[Duration](): {"duration", map[string]any{"type": []string{"string", "integer"}, "pattern": `^(0|([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*)$`, "minLength": 1, "minimum": 0, "maximum": 0}},
	reflect.TypeFor[Patterns](): {"list of patterns", map[string]any{"type": []string{"array", "string"}, "items": map[string]any{"type": "string"}}},
}

// Schema is the JSON schema (draft 2020-12) of the configuration file.
func Schema() []byte { return schema(fieldDocs) }

func schema(docs map[string]string) []byte {
	root := object("What is not given has its default.")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Configuration of weir serve"
	within := map[string]map[string]any{"": root["properties"].(map[string]any)}
	for _, key := range sections {
		section := object(docs[key])
		within[key] = section["properties"].(map[string]any)
		within[""][key] = section
	}
	for _, l := range leaves {
		section, name := split(l.key)
		within[section][name] = leafSchema(l, docs[l.key])
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error())
	}
	return append(text, '\n')
}

func object(description string) map[string]any {
	return map[string]any{
		"type": []string{"object", "null"}, "description": description, "additionalProperties": false, "properties": map[string]any{},
	}
}

func leafSchema(l leaf, description string) map[string]any {
	s := map[string]any{"description": description}
	for name, value := range kinds[l.field.Type].schema {
		s[name] = value
	}
	if values := l.enum(); values != nil {
		s["enum"] = values
	}
	if l.field.Type.Kind() == reflect.Int {
		_, s["minimum"], _ = l.bound("min")
	}
	if text, ok := l.field.Tag.Lookup("default"); ok {
		v := reflect.New(l.field.Type).Elem()
		_ = parse(v, text) // a test loads the defaults
		s["default"] = v.Interface()
	}
	return s
}

// split takes a key apart into its section, which is empty for the file, and its name.
func split(key string) (section, name string) {
	if section, name, ok := strings.Cut(key, "."); ok {
		return section, name
	}
	return "", key
}

// Reference is the page of the documentation that explains every key, in Markdown.
func Reference() []byte { return reference(fieldDocs) }

const referenceHead = `# Configuration

<!-- Generated from internal/config; run "go generate ./internal/config" after a change there. -->

Weir needs no configuration: without any it does what the go command of the machine would do.
What is to be different comes from, the first that gives a value wins:

1. a flag of ` + "`weir serve`" + `;
2. an environment variable, ` + "`WEIR_`" + ` and the key in capitals, with ` + "`_`" + ` for the dots; an empty one counts as not set;
3. the configuration file that ` + "`--config` or `WEIR_CONFIG`" + ` names;
4. what the go command is told on this machine: the environment, the file that ` + "`go env -w`" + ` writes, ` + "`$GOROOT/go.env`" + `;
5. the default.

` + "`weir config print`" + ` shows the result and where each value comes from, ` + "`weir config check`" + ` tells whether it is valid.
Values that may hold a password are never shown. Each of them can be kept in a file, which the variable with ` + "`_FILE`" + `
appended names: ` + "`WEIR_UPSTREAM_FILE=/run/secrets/upstream`" + `; blanks around the content do not count.

The file is YAML. A key that does not exist is an error. Sizes are numbers of bytes or end in ` + "`KiB`, `MiB` or `GiB`" + `.
Durations are written as ` + "`500ms`, `10s`, `5m`, `1h30m` or `7d`" + `. Lists are lists, or one text with commas.
Editors complete and check the file with the schema that ` + "`weir config schema`" + ` prints and ` + "`docs/weir.schema.json`" + ` holds.

An example:

` + "```yaml\n" + referenceExample + "```\n"

const referenceExample = `# yaml-language-server: $schema=weir.schema.json
listen: ":3000"
data: /var/lib/weir
upstream: https://proxy.example.com|direct
private:
  - git.example.com
  - github.com/our-team/*
cache:
  fresh: 5m
  stale: 30d
store:
  memory: 256MiB
log:
  format: json
`

func reference(docs map[string]string) []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	b.WriteString("\n## Keys\n")
	section := ""
	for _, l := range leaves {
		if s, _ := split(l.key); s != section {
			section = s
			fmt.Fprintf(&b, "\n## Keys of `%s`\n\n%s\n", s, docs[s])
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n%s\n", l.key, docs[l.key], facts(l))
	}
	return []byte(b.String())
}

// facts are the lines of the reference page on one key besides its meaning.
func facts(l leaf) string {
	lines := []string{"Type: " + kinds[l.field.Type].name + rules(l)}
	lines = append(lines, "Default: "+defaultText(l))
	variable := "Variable: `" + l.variable() + "`"
	if l.isSecret() {
		variable += " or `" + l.variable() + "_FILE`"
	}
	lines = append(lines, variable)
	if l.flag() != "" {
		lines = append(lines, "Flag: `--"+l.flag()+"`")
	}
	return "- " + strings.Join(lines, "\n- ")
}

func rules(l leaf) string {
	if values := l.enum(); values != nil {
		return ", one of `" + strings.Join(values, "`, `") + "`"
	}
	text := ""
	if least, n, _ := l.bound("min"); n > 0 {
		text += ", at least " + least
	}
	if most, _, ok := l.bound("max"); ok {
		text += ", at most " + most
	}
	return text
}

func defaultText(l leaf) string {
	builtin, machine := l.field.Tag.Get("default"), l.field.Tag.Get("machine")
	text := "none"
	if builtin != "" {
		text = "`" + builtin + "`"
	}
	switch {
	case machine == "":
		return text
	case l.key == "data":
		return machine
	default:
		return machine + " of the machine, else " + text
	}
}
