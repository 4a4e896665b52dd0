package render

import (
	"github.com/goweir/weir/internal/client/profile"
)

// export is a line for sh, bash, zsh and direnv.
func export(s profile.Setting) string {
	if s.Unset {
		return "unset " + s.Name
	}
	return "export " + s.Name + "=" + quoteShell(s.Value)
}

func shell(in Input) (string, error) {
	return "# " + in.title() + "\n" + lines(in.Profile.Settings, export), nil
}

func fish(in Input) (string, error) {
	return "# " + in.title() + "\n" + lines(in.Profile.Settings, func(s profile.Setting) string {
		if s.Unset {
			return "set -e " + s.Name
		}
		return "set -gx " + s.Name + " " + quoteFish(s.Value)
	}), nil
}

func powershell(in Input) (string, error) {
	return "# " + in.title() + "\n" + lines(in.Profile.Settings, func(s profile.Setting) string {
		if s.Unset {
			return "Remove-Item Env:" + s.Name + " -ErrorAction SilentlyContinue"
		}
		return "$env:" + s.Name + " = " + quotePowerShell(s.Value)
	}), nil
}

// direnv takes the profile from the file of the project each time it has changed, or
// else holds the values itself, so that nobody needs weir for it.
func direnv(in Input) (string, error) {
	if in.Path == "" {
		return "# .envrc, for direnv (https://direnv.net)\n# " + in.title() + "\n" + lines(in.Profile.Settings, export), nil
	}
	path := quoteShell(in.Path)
	return "# .envrc, for direnv (https://direnv.net)\n" +
		"# Settings of the go command: from " + in.Path + "\n" +
		"watch_file " + path + "\n" +
		"if has weir; then\n" +
		"  eval \"$(weir env render shell --profile " + path + ")\"\n" +
		"else\n" +
		"  log_error \"weir is missing, so the settings of the go command are not those of this project\"\n" +
		"fi\n", nil
}
