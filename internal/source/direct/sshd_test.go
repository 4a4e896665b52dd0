//go:build unix && sshd

// These tests need openssh-server: go test -tags sshd.

package direct

import (
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/modtest"
)

// newSSH starts sshd in place of two hosts.
func newSSH(t *testing.T, f *modtest.Forge) (*modtest.SSH, func(*Options)) {
	t.Helper()
	server, err := modtest.NewSSH(t, t.TempDir(), "git.example.com", "[git.example.com]:2222")
	if err != nil {
		t.Fatal(err)
	}
	return server, func(o *Options) {
		o.resolve = func(hostport string) string {
			if strings.HasSuffix(hostport, "22") {
				return server.Addr
			}
			return f.Addr
		}
	}
}

func TestARepositoryIsFetchedFromARealSSHServer(t *testing.T) {
	f := newForge(t)
	r := repo(t, f, "git.example.com/x", simple("www.example.com/x", "v1.0.0"), modtest.Commit{Files: files{"y": "1"}})
	server, there := newSSH(t, f)
	c := credential.Credential{Username: server.User, SSHKeyFile: server.KeyFile, KnownHostsFile: server.KnownHostsFile}
	for _, address := range []string{"https://git.example.com" + r.Dir, "ssh://git.example.com" + r.Dir, "ssh://" + server.User + "@git.example.com:2222" + r.Dir} {
		f.GoImport("www.example.com/x", "www.example.com/x git "+address)
		s := open(t, f, there, with(keys{"git.example.com:443": c, "git.example.com:22": c, "git.example.com:2222": c}))
		for _, file := range []string{"@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.zip", "@v/main.info"} {
			mustFetch(t, s, "www.example.com/x/"+file)
		}
	}
}

func TestARealSSHServerThatIsNotKnownOrDoesNotKnowUsIsTrouble(t *testing.T) {
	f := newForge(t)
	r := repo(t, f, "git.example.com/x", simple("www.example.com/x", "v1.0.0"))
	server, there := newSSH(t, f)
	other, _ := newSSH(t, f)
	f.GoImport("www.example.com/x", "www.example.com/x git ssh://"+server.User+"@git.example.com"+r.Dir)
	for _, c := range []credential.Credential{{SSHKeyFile: server.KeyFile, KnownHostsFile: other.KnownHostsFile}, {SSHKeyFile: other.KeyFile, KnownHostsFile: server.KnownHostsFile}} {
		s := open(t, f, there, with(keys{"git.example.com:22": c}))
		err := wantClass(t, s, "www.example.com/x/@v/list", artifact.ErrBadUpstream)
		if _, hint := artifact.Explain(err); !strings.Contains(hint, "credentials for git.example.com") {
			t.Errorf("%v: hint %q", err, hint)
		}
	}
}
