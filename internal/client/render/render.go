// Package render writes the settings of a profile in the language of the place where they
// are needed: shells, container files, pipelines, an editor.
//
// Each snippet works as it is. It brings the caches that a build wants, and takes
// credentials from where that place keeps secrets, as a netrc file: never as an argument,
// a variable or a layer. What a value means to the other language is taken from it, so
// that the go command gets exactly the value of the profile.
package render

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/profile"
	"github.com/goweir/weir/internal/spelling"
)

// An Input is what is rendered.
type Input struct {
	Profile profile.Profile
	// Path is how the project that the snippet is for names the file of the profile;
	// empty if the profile is not a file of the project.
	Path string
}

// A Target is a place that settings can be rendered for.
type Target struct {
	Name string
	What string // what the snippet is, for people

	write func(in Input) (string, error)
}

// Targets are all of them.
func Targets() []Target {
	return []Target{
		{"docker", "Dockerfile with BuildKit caches and a secret", docker},
		{"compose", "compose.yaml with caches and a secret", compose},
		{"kubernetes", "ConfigMap, and a Job that builds with it", kubernetes},
		{"github", "workflow for GitHub Actions", github},
		{"gitlab", "job for .gitlab-ci.yml", gitlab},
		{"jenkins", "Jenkinsfile", jenkins},
		{"direnv", ".envrc of a project", direnv},
		{"shell", "lines for sh, bash and zsh", shell},
		{"fish", "lines for fish", fish},
		{"powershell", "lines for PowerShell", powershell},
		{"vscode", ".vscode/settings.json", vscode},
	}
}

// Render writes a snippet for the target of a name.
func Render(target string, in Input) (string, error) {
	all := Targets()
	i := slices.IndexFunc(all, func(t Target) bool { return t.Name == target })
	if i < 0 {
		return "", unknown(target)
	}
	return all[i].write(in)
}

func unknown(target string) error {
	var names []string
	for _, t := range Targets() {
		names = append(names, t.Name)
	}
	if meant := spelling.Nearest(names, target); meant != "" {
		return fmt.Errorf("nothing can be rendered for %q; did you mean %s?", target, meant)
	}
	return fmt.Errorf("nothing can be rendered for %q; there are %s", target, strings.Join(names, ", "))
}

// The image that snippets build with, and where things are in it.
const (
	image      = "golang:1.26"
	modCache   = "/go/pkg/mod"
	buildCache = "/go/cache"
	netrc      = "/run/secrets/netrc" // where Docker puts a secret of that name
)

// linkNetrc puts the secret where the go command and git look for it. Where there is no
// secret, the link leads nowhere, and they go on without.
const linkNetrc = "ln -sf " + netrc + " ~/.netrc"

// title says in one line what the snippet is of.
func (in Input) title() string {
	title := "Settings of the go command: profile " + in.name()
	if in.Profile.Description != "" {
		title += ", " + in.Profile.Description
	}
	return title
}

// name is the name of the profile without the folder that it is in.
func (in Input) name() string {
	return strings.TrimSuffix(filepath.Base(in.Profile.Name), ".yaml")
}

// values are the variables that get a value.
func (in Input) values() []profile.Setting {
	return slices.DeleteFunc(slices.Clone(in.Profile.Settings), func(s profile.Setting) bool { return s.Unset })
}

// elsewhere are the values for a machine that is not the user's own: there, the programs
// that GOAUTH names are missing, and credentials come in a netrc file.
func (in Input) elsewhere() []profile.Setting {
	return slices.DeleteFunc(in.values(), func(s profile.Setting) bool { return s.Name == "GOAUTH" })
}

// notes are comments for elsewhere, each line after a mark.
func (in Input) notes(mark string) string {
	text := mark + in.title() + "\n"
	if s, ok := in.Profile.Lookup("GOAUTH"); ok && !s.Unset {
		text += mark + "GOAUTH is left out: here credentials come as a netrc file.\n"
	}
	return text
}

// lines are a line for each setting.
func lines(settings []profile.Setting, line func(s profile.Setting) string) string {
	var b strings.Builder
	for _, s := range settings {
		b.WriteString(line(s))
		b.WriteByte('\n')
	}
	return b.String()
}
