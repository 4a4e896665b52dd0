package render

import (
	"bytes"
	"encoding/json"
	"strings"
)

// quoteShell quotes for sh: between single quotes nothing has a meaning but those.
func quoteShell(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// quoteFish quotes for fish: between single quotes the backslash has a meaning before
// those and before itself.
//
// Source: https://fishshell.com/docs/current/language.html#quotes
func quoteFish(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// quotePowerShell quotes for PowerShell: between single quotes nothing has a meaning but
// those, and it takes the quotes of typographers for the same.
//
// Source: about_Quoting_Rules; the language specification, section 2.3.5.2.
func quotePowerShell(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune("'‘’‚‛", r) {
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	return "'" + b.String() + "'"
}

// quoteDocker quotes for ENV of a Dockerfile, where the dollar has a meaning between
// double quotes, too.
//
// Source: https://docs.docker.com/reference/dockerfile/#environment-replacement
func quoteDocker(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`).Replace(text) + `"`
}

// quoteJSON quotes for JSON, and for YAML, of which JSON is a part.
func quoteJSON(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text can always be written
	return strings.TrimSpace(b.String())
}

// quoteCompose quotes for a compose file, which replaces variables.
//
// Source: https://docs.docker.com/reference/compose-file/interpolation/
func quoteCompose(text string) string {
	return quoteJSON(strings.ReplaceAll(text, "$", "$$"))
}

// quoteGitHub quotes for a workflow, which evaluates expressions.
//
// Source: https://docs.github.com/en/actions/reference/evaluate-expressions-in-workflows-and-actions
func quoteGitHub(text string) string {
	return quoteJSON(strings.ReplaceAll(text, "${{", "${{ '${{' }}"))
}

// quoteJenkins quotes for the environment of a Jenkinsfile: a Groovy string in which
// Jenkins replaces variables.
//
// Source: https://groovy-lang.org/syntax.html#_single_quoted_string; hudson.Util, replaceMacro.
func quoteJenkins(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "$", "$$").Replace(text) + "'"
}
