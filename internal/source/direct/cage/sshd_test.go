//go:build unix && sshd

// These tests need openssh-server: go test -tags sshd.

package cage

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/modtest"
)

// newSSH starts sshd in place of two hosts.
func newSSH(t *testing.T) *modtest.SSH {
	t.Helper()
	server, err := modtest.NewSSH(t, t.TempDir(), "git.example.com", "[git.example.com]:2222")
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func TestALoginByRealSSHIsTriedWithoutARepository(t *testing.T) {
	server, other := newSSH(t), newSSH(t)
	d := egress.Dialer{Guard: guard(t, "127.0.0.0/8"), Resolve: func(string) string { return server.Addr }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	good := credential.Credential{Username: server.User, SSHKeyFile: server.KeyFile, KnownHostsFile: server.KnownHostsFile}
	unknownKey, unknownHost := good, good
	unknownKey.SSHKeyFile, unknownHost.KnownHostsFile = other.KeyFile, other.KnownHostsFile
	for what, c := range map[string]struct {
		credential credential.Credential
		address    string
		want       string // of the error
	}{
		"that is right":           {good, "ssh://git.example.com/group", ""},
		"at another port":         {good, "ssh://git.example.com:2222/group", ""},
		"of the user in the URL":  {credential.Credential{SSHKeyFile: good.SSHKeyFile, KnownHostsFile: good.KnownHostsFile}, "ssh://" + server.User + "@git.example.com", ""},
		"with a key nobody knows": {unknownKey, "ssh://git.example.com", "Permission denied"},
		"where another answers":   {unknownHost, "ssh://git.example.com", "verification failed"},
	} {
		u, err := url.Parse(c.address)
		if err != nil {
			t.Fatal(err)
		}
		err = TrySSH(ctx, d, u, c.credential)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("a login %s: %v", what, err)
		}
	}
}
