//go:build unix

package direct

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/credential"
)

// fakeSSH makes a command in place of ssh that serves one repository, whatever
// it is asked for.
func fakeSSH(t *testing.T, w wrapping, gitDir string) {
	w.write(t, "ssh", fmt.Sprintf("echo \"ssh $*\" >> %s\nexec git upload-pack %s\n", w.log, gitDir))
}

func sshKeys(t *testing.T, hostport string) (keys, credential.Credential) {
	dir := filepath.Join(t.TempDir(), "it's a \"folder\" with 100% odd $HOME names")
	c := credential.Credential{Name: "deploy key", SSHKeyFile: filepath.Join(dir, "key"), KnownHostsFile: filepath.Join(dir, "known_hosts")}
	write(t, c.SSHKeyFile)
	write(t, c.KnownHostsFile)
	return keys{hostport: c}, c
}

func TestARepositoryIsFetchedOverSSHWhenThereIsAKey(t *testing.T) {
	f := newForge(t)
	for url, want := range map[string][]string{
		"https://git.example.com/x":          {"git@git.example.com git-upload-pack '/x'", "HostKeyAlias=git.example.com"},
		"ssh://git.example.com/x":            {"-l git", " git.example.com git-upload-pack '/x'", "HostKeyAlias=git.example.com"},
		"ssh://me@git.example.com:2222/~/x":  {"me@git.example.com git-upload-pack '~/x'", "HostKeyAlias=[git.example.com]:2222"},
		"ssh://git@git.example.com/group/-x": {"git@git.example.com git-upload-pack '/group/-x'"},
	} {
		t.Run(strings.ReplaceAll(url, "/", "_"), func(t *testing.T) {
			r := repo(t, f, "git.example.com/by-ssh"+strings.ReplaceAll(t.Name(), "/", "_"), simple("www.example.com/x", "v1.0.0"))
			f.GoImport("www.example.com/x", "www.example.com/x git "+url)
			w := wrap(t, "")
			fakeSSH(t, w, r.Dir)
			port := "22"
			switch {
			case strings.HasPrefix(url, "https"):
				port = "443"
			case strings.Contains(url, "2222"):
				port = "2222"
			}
			k, c := sshKeys(t, "git.example.com:"+port)
			s := open(t, f, w.use, with(k))
			mustFetch(t, s, "www.example.com/x/@v/list")
			mustFetch(t, s, "www.example.com/x/@v/v1.0.0.zip")
			want = append(want, "-i "+c.SSHKeyFile+" ", "StrictHostKeyChecking=yes", "HostName=127.0.0.1", "BatchMode=yes", "IdentitiesOnly=yes", "-F none", "ProxyCommand=none")
			for _, call := range w.calls(t, "upload-pack '") {
				for _, words := range want {
					if strings.HasPrefix(call, "ssh ") && !strings.Contains(call, words) {
						t.Errorf("no %q in %s", words, call)
					}
				}
			}
			if len(w.calls(t, "ssh -F none")) == 0 {
				t.Error("ssh was not run")
			}
		})
	}
	if n := f.Count("git.example.com"); n > 0 {
		t.Errorf("https was tried %d times", n)
	}
}

func TestAKnownCodeHostIsReachedOverSSHToo(t *testing.T) {
	f := newForge(t)
	for _, mod := range []string{caged, "git.example.com/x.git"} {
		r := repo(t, f, "elsewhere.example.com/"+mod, simple(mod, "v1.0.0"))
		w := wrap(t, "")
		fakeSSH(t, w, r.Dir)
		host, _, _ := strings.Cut(mod, "/")
		k, _ := sshKeys(t, host+":443")
		s := open(t, f, w.use, with(k))
		mustFetch(t, s, mod+"/@v/v1.0.0.zip")
	}
	if r := f.Requests(); len(r) > 0 {
		t.Errorf("https was tried: %+v", r)
	}
}

func TestA4SSHIsHeldToTheGuard(t *testing.T) {
	f := newForge(t)
	f.GoImport("www.example.com/x", "www.example.com/x git ssh://git@git.example.com/x")
	w := wrap(t, "")
	k, _ := sshKeys(t, "git.example.com:22")
	s := open(t, f, w.use, with(k), only(t, "www.example.com"))
	wantClass(t, s, "www.example.com/x/@v/list", artifact.ErrForbidden)
	if calls := w.calls(t, "ssh"); len(calls) > 0 {
		t.Errorf("ssh was run: %q", calls)
	}
}

func TestSSHNeedsAKeyAndKnownHosts(t *testing.T) {
	f := newForge(t)
	f.GoImport("www.example.com/x", "www.example.com/x git ssh://git@git.example.com/x")
	for _, k := range []keys{nil, {"git.example.com:22": robot}, {"git.example.com:22": {SSHKeyFile: os.DevNull}}} {
		s := open(t, f, with(k))
		err := wantClass(t, s, "www.example.com/x/@v/list", artifact.ErrBadUpstream)
		if _, hint := artifact.Explain(err); !strings.Contains(hint, "credentials for git.example.com") {
			t.Errorf("hint %q", hint)
		}
	}
}

func TestSSHTroubleIsNoProof(t *testing.T) {
	f := newForge(t)
	for says, class := range map[string]error{
		"git@git.example.com: Permission denied (publickey).": artifact.ErrBadUpstream, "Host key verification failed.": artifact.ErrBadUpstream,
		"ssh: connect to host git.example.com port 22: Connection refused": artifact.ErrBadUpstream, "ERROR: Repository not found.": artifact.ErrNotFound,
	} {
		w := wrap(t, "")
		w.write(t, "ssh", "echo '"+says+"' >&2\nexit 255\n")
		k, _ := sshKeys(t, "github.com:443")
		wantClass(t, open(t, f, w.use, with(k)), caged+"/@v/list", class)
		k, _ = sshKeys(t, "git.example.com:443")
		wantClass(t, open(t, f, w.use, with(k)), "git.example.com/x.git/@v/list", artifact.ErrBadUpstream) // the go command does not tell which it was
	}
}
