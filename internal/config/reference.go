package config

import (
	"cmp"
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
	reflect.TypeFor[Names]():    {"list of names", map[string]any{"type": []string{"array", "string"}, "items": map[string]any{"type": "string"}}},

	reflect.TypeFor[Credential]():            {"text, secret", map[string]any{"type": "string"}},
	reflect.TypeFor[map[string]Credential](): {"names with texts, secret", map[string]any{"type": []string{"object", "null"}, "additionalProperties": map[string]any{"type": "string"}}},
}

// Schema is the JSON schema (draft 2020-12) of the configuration file.
func Schema() []byte { return schema(fieldDocs) }

func schema(docs map[string]string) []byte {
	root := object("What is not given has its default.")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Configuration of weir serve"
	properties := propertiesOf(root)
	for _, key := range sections {
		properties[key] = object(docs[key])
	}
	for _, l := range leaves {
		within := properties
		if section, _ := split(l.key); section != "" {
			within = propertiesOf(properties[section].(map[string]any))
		}
		addLeaf(within, l, docs[l.key])
	}
	for _, c := range collections {
		properties[c.key] = collectionSchema(c, docs)
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

func propertiesOf(object map[string]any) map[string]any {
	return object["properties"].(map[string]any)
}

// collectionSchema describes a map or a list of objects.
func collectionSchema(c collection, docs map[string]string) map[string]any {
	entry := object("What is not given has its default.")
	for _, l := range c.leaves {
		addLeaf(propertiesOf(entry), l, docs[l.key])
	}
	if c.isList() {
		entry["type"] = "object"
		return map[string]any{"type": []string{"array", "null"}, "description": docs[c.key], "items": entry}
	}
	return map[string]any{
		"type": []string{"object", "null"}, "description": docs[c.key], "additionalProperties": entry,
		"propertyNames": map[string]any{"pattern": nameSyntax.String(), "not": map[string]any{"enum": reserved}},
	}
}

// addLeaf describes a leaf, and those that name the place of its text.
func addLeaf(properties map[string]any, l leaf, description string) {
	properties[l.name()] = leafSchema(l, description)
	for _, kind := range []struct{ suffix, name string }{{fileSuffix, "File"}, {variableSuffix, "Environment variable"}} {
		if !l.canStandAt(kind.suffix) {
			continue
		}
		at := map[string]any{"description": placeDoc(l, kind.name)}
		for name, value := range kinds[l.field.Type].schema {
			at[name] = value
		}
		properties[l.name()+kind.suffix] = at
	}
}

// placeDoc explains a key that names the place of a secret.
func placeDoc(l leaf, place string) string {
	if l.isMap() {
		return place + "s with the texts of `" + l.name() + "`, by name."
	}
	return place + " with the text of `" + l.name() + "`."
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
		if _, most, ok := l.bound("max"); ok {
			s["maximum"] = most
		}
	}
	if text, ok := l.field.Tag.Lookup("default"); ok {
		v := reflect.New(l.field.Type).Elem()
		_ = parse(v, text) // a test loads the defaults
		s["default"] = v.Interface()
	}
	return s
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
Values that may hold a password are never shown. Each of them can be kept in a file of its own, which the variable with ` + "`_FILE`" + `
appended names, as ` + "`WEIR_UPSTREAM_FILE=/run/secrets/upstream`" + `, or in the configuration file the key with ` + "`_file`" + ` appended, as
` + "`password_file: /run/secrets/password`" + `; blanks around the content do not count. In maps and lists of sections, which have
no variables of their own, it can be in any variable, which the key with ` + "`_env`" + ` appended names, as ` + "`password_env: GIT_TOKEN`" + `.

The file is YAML. A key that does not exist is an error. Sizes are numbers of bytes or end in ` + "`KiB`, `MiB` or `GiB`" + `.
Durations are written as ` + "`500ms`, `10s`, `5m`, `1h30m` or `7d`" + `. Lists are lists, or one text with commas.
Names of files and folders that do not begin at the root begin where Weir was started.
Editors complete and check the file with the schema that ` + "`weir config schema`" + ` prints and ` + "`docs/weir.schema.json`" + ` holds.

Maps and lists of sections, which are ` + "`upstreams`, `groups` and `routes`" + `, have no variable and no flag: only the file can hold them.

An example:

` + "```yaml\n" + referenceExample + "```\n"

const referenceExample = `# yaml-language-server: $schema=weir.schema.json
listen: ":3000"
data: /var/lib/weir
upstream: public|https://goproxy.io
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

upstreams:
  official:
    url: https://proxy.example.com
  cn:
    url: https://goproxy.cn
    first_byte: 5s
  company:
    url: https://go.corp.example.com
    username: ci
    password_file: /run/secrets/go.corp.example.com
    ca_file: /etc/ssl/corp.pem
    proxy: off
groups:
  public:
    strategy: fastest
    members: [official, cn]
routes:
  - match: [corp.example.com, "*.corp.example.com"]
    upstream: company
    private: true
    fresh: 0s
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
	for _, c := range collections {
		fmt.Fprintf(&b, "\n## Entries of `%s`\n\n%s\n", c.key, docs[c.key])
		for _, l := range c.leaves {
			fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n%s\n", l.key, docs[l.key], entryFacts(l))
		}
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
	if l.isSecret() {
		lines = append(lines, "In a file: `"+l.name()+fileSuffix+"`")
	}
	if l.flag() != "" {
		lines = append(lines, "Flag: `--"+l.flag()+"`")
	}
	return "- " + strings.Join(lines, "\n- ")
}

// entryFacts are those on a key of an entry of a collection.
func entryFacts(l leaf) string {
	text := "- Type: " + kinds[l.field.Type].name + rules(l) + "\n- Default: " + defaultText(l)
	if l.isSecret() {
		text += "\n- In a file: `" + l.name() + fileSuffix + "`\n- In a variable: `" + l.name() + variableSuffix + "`"
	}
	return text
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
	text := cmp.Or(code(builtin), "none")
	above, inherited := l.above()
	private, hasPrivate := l.field.Tag.Lookup("private")
	switch {
	case inherited && hasPrivate:
		return fmt.Sprintf("that of `%s`; %s for a private route", above.key, cmp.Or(code(private), "none"))
	case inherited:
		return fmt.Sprintf("that of `%s`", above.key)
	case machine == "":
		return text
	case l.key == "data":
		return machine
	default:
		return machine + " of the machine, else " + text
	}
}

// code marks a text as code, unless it is empty.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
