package modtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
)

// An SSH is a real sshd on a loopback address, which lets one key in.
type SSH struct {
	Addr           string // host:port on loopback
	User           string // to log in as: who runs the test
	KeyFile        string // the private key that is let in
	KnownHostsFile string // names the server's key for the hosts it was made for

	sshd   string
	config string
	ctx    context.Context
	going  sync.WaitGroup
}

// NewSSH starts sshd for some host names until the test ends; its files are in a
// folder. The names are written as in a known_hosts file.
func NewSSH(t Cleaner, dir string, hosts ...string) (*SSH, error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	s := &SSH{User: me.Username, KeyFile: filepath.Join(dir, "client"), KnownHostsFile: filepath.Join(dir, "known_hosts"), config: filepath.Join(dir, "config")}
	if s.sshd, err = findSSHD(); err != nil {
		return nil, err
	}
	if err := s.writeFiles(filepath.Join(dir, "host"), hosts); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.Addr = l.Addr().String()
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithCancel(context.Background())
	s.going.Go(func() { s.serve(l) })
	t.Cleanup(func() { cancel(); l.Close(); s.going.Wait() })
	return s, nil
}

func findSSHD() (string, error) {
	for _, name := range []string{"sshd", "/usr/sbin/sshd", "/usr/local/sbin/sshd"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("sshd is not installed: the package is openssh-server")
}

// writeFiles makes both keys and the configuration.
func (s *SSH) writeFiles(hostKey string, hosts []string) error {
	for _, file := range []string{s.KeyFile, hostKey} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file).CombinedOutput(); err != nil {
			return fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
	}
	public, err := os.ReadFile(hostKey + ".pub")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.KnownHostsFile, fmt.Appendf(nil, "%s %s", strings.Join(hosts, ","), public), 0o600); err != nil {
		return err
	}
	config := fmt.Sprintf("HostKey %s\nAuthorizedKeysFile %s.pub\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nUsePAM no\nPidFile none\nAcceptEnv GIT_PROTOCOL\n", hostKey, s.KeyFile)
	return os.WriteFile(s.config, []byte(config), 0o600)
}

// serve starts one sshd for each connection.
func (s *SSH) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.going.Go(func() { s.serveConn(conn.(*net.TCPConn)) })
	}
}

func (s *SSH) serveConn(conn *net.TCPConn) {
	defer conn.Close()
	f, err := conn.File()
	if err != nil {
		return
	}
	defer f.Close()
	cmd := exec.CommandContext(s.ctx, s.sshd, "-i", "-e", "-f", s.config)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, io.Discard
	cmd.Run() // the client says how it went
}
