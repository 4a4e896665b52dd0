package settings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/goauth"
)

func (s *Settings) checkAuth() check.Result {
	entries := strings.Split(cmp.Or(s.Value("GOAUTH"), "netrc"), ";")
	var names []string
	for _, entry := range entries {
		words := strings.Fields(entry)
		if len(words) == 0 {
			return check.Trouble("goauth-malformed", fmt.Sprintf("the go command refuses %s: there is an empty command in it", s.From("GOAUTH")), "take the superfluous semicolon away", s.Unset("GOAUTH"))
		}
		names = append(names, words[0])
		switch words[0] {
		case "off":
			if len(entries) > 1 {
				return check.Trouble("goauth-malformed", fmt.Sprintf("the go command refuses %s: off cannot be combined with others", s.From("GOAUTH")), "take off away", s.Unset("GOAUTH"))
			}
		case "netrc":
		case "git":
			if len(words) != 2 || !filepath.IsAbs(words[1]) || !isFolder(words[1]) {
				return check.Trouble("goauth-malformed", fmt.Sprintf("the go command refuses %s: after git stands the absolute path of a folder that exists", s.From("GOAUTH")), "name the folder of a repository", s.Unset("GOAUTH"))
			}
		default:
			if _, err := exec.LookPath(words[0]); err != nil {
				return check.Warning("goauth-missing", fmt.Sprintf("the command %q of %s cannot be run, and the go command says nothing of it", words[0], s.From("GOAUTH")), "install it, or add its folder to PATH")
			}
		}
	}
	return check.Well(strings.Join(names, ", "))
}

// maxNetrc is how much of a netrc file is read, in bytes.
const maxNetrc = 1 << 20

// ReadNetrc reads the netrc file of the go command.
func (s *Settings) ReadNetrc() (name, text string, err error) {
	name = goauth.NetrcFile(s.Env)
	f, err := os.Open(name)
	if err != nil {
		return name, "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNetrc))
	return name, string(data), err
}

func (s *Settings) checkNetrc() check.Result {
	name, text, err := s.ReadNetrc()
	switch {
	case name == "":
		return check.Warning("no-home", "nobody knows the home folder, where netrc would be", "set HOME, or NETRC")
	case errors.Is(err, fs.ErrNotExist) && s.Getenv("NETRC") != "":
		return check.Warning("netrc-missing", "NETRC names "+name+", which is not there", "correct it or take it away", check.ByHand("unset NETRC"))
	case errors.Is(err, fs.ErrNotExist):
		return check.Well("there is none")
	case err != nil:
		return check.Trouble("netrc-unreadable", name+" cannot be read by this user", "give it to the user who runs go", check.ByHand("chown \"$USER\" "+check.Quote(name)))
	}
	info, err := os.Stat(name)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 && strings.Contains(text, "password") {
		return check.Warning("netrc-open", "others on this machine may read the passwords in "+name, "keep it to yourself", keepPrivate(name))
	}
	return check.Well(name)
}

// keepPrivate is chmod 600.
func keepPrivate(name string) check.Fix {
	return check.Safe("chmod 600 "+check.Quote(name), func(context.Context) error { return os.Chmod(name, 0o600) })
}
