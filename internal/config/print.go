package config

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Print writes the configuration as a file that Load would read, with comments that
// say where each value comes from. Secrets are redacted.
func Print(w io.Writer, c *Config, from Provenance) error {
	var b strings.Builder
	section := ""
	for _, l := range leaves {
		parent, name, indent := "", l.key, ""
		if before, after, ok := strings.Cut(l.key, "."); ok {
			parent, name, indent = before, after, "  "
		}
		if parent != section {
			fmt.Fprintf(&b, "%s:\n", parent)
			section = parent
		}
		if l.key == "upstream" && goesDirect(c.Upstream.Reveal()) {
			b.WriteString("# \"direct\": fetching directly from version control is not available yet; such an entry answers as \"nothing more to try\".\n")
		}
		fmt.Fprintf(&b, "%s%s: %s # %s\n", indent, name, yamlText(l.value(c)), printable(from[l.key]))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// goesDirect reports whether a GOPROXY list gets to a direct entry.
func goesDirect(list string) bool {
	for _, entry := range strings.FieldsFunc(list, isListSeparator) {
		switch strings.TrimSpace(entry) {
		case "off":
			return false
		case "direct":
			return true
		}
	}
	return false
}

// yamlText is a value in YAML, on one line.
func yamlText(value any) string {
	if list, ok := value.(Patterns); ok {
		quoted := make([]string, len(list))
		for i, p := range list {
			quoted[i] = strconv.Quote(p)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	text := fmt.Sprint(value)
	if reflect.TypeOf(value).Kind() == reflect.String {
		return strconv.Quote(text)
	}
	return text
}
