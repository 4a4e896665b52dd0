package render

import (
	"fmt"
	"strings"
)

// vscode sets the variables for the tools of the Go extension, and for terminals, where
// null unsets one.
//
// Source: https://code.visualstudio.com/docs/reference/variables-reference
func vscode(in Input) (string, error) {
	var tools, terminals []string
	for _, s := range in.Profile.Settings {
		switch {
		case strings.Contains(s.Value, "${"):
			return "", fmt.Errorf("%s cannot be said to VS Code, which would replace ${…} in it", s.Name)
		case s.Unset:
			terminals = append(terminals, quoteJSON(s.Name)+": null")
		default:
			pair := quoteJSON(s.Name) + ": " + quoteJSON(s.Value)
			tools, terminals = append(tools, pair), append(terminals, pair)
		}
	}
	parts := []string{object("go.toolsEnvVars", tools)}
	for _, system := range []string{"linux", "osx", "windows"} {
		parts = append(parts, object("terminal.integrated.env."+system, terminals))
	}
	return "{\n" + strings.Join(parts, ",\n") + "\n}\n", nil
}

func object(name string, pairs []string) string {
	if len(pairs) == 0 {
		return "  " + quoteJSON(name) + ": {}"
	}
	return "  " + quoteJSON(name) + ": {\n    " + strings.Join(pairs, ",\n    ") + "\n  }"
}
