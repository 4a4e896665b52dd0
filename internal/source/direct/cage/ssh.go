package cage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/command"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// sshCommand returns the command that git runs in place of ssh. It knows one
// host, whose key must be known, at one address that the Guard allows.
func (k *Keeper) sshCommand(ctx context.Context, r origin.Repository, key credential.Credential) (string, error) {
	host := strings.ToLower(r.Location.Hostname())
	if !key.SSH() || key.KnownHostsFile == "" {
		return "", &artifact.Error{Class: artifact.ErrBadUpstream, Reason: r.Prefix + " is fetched by ssh, and there is no key for it", Hint: credential.Hint(host)}
	}
	hostport := net.JoinHostPort(host, "22")
	if r.Location.Scheme == "ssh" {
		hostport = r.HostPort()
	}
	to, err := k.o.Dialer.Pin(ctx, hostport)
	if err != nil {
		return "", err
	}
	words := append([]string{"ssh"}, sshOptions(key, hostport, to)...)
	if r.Location.User == nil {
		words = append(words, "-l", key.SSHUser())
	}
	for i, word := range words {
		words[i] = shellQuote(word)
	}
	return strings.Join(words, " "), nil
}

// sshOptions let ssh use one key and nothing else, and connect to one address, where the
// host must show the key that is known of it.
func sshOptions(key credential.Credential, hostport string, to netip.AddrPort) []string {
	host, port, _ := net.SplitHostPort(hostport)
	alias := host
	if port != "22" {
		alias = "[" + host + "]:" + port // as known_hosts files name it
	}
	words := []string{"-F", "none", "-i", key.SSHKeyFile}
	for _, option := range []string{
		"BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "PasswordAuthentication=no", "KbdInteractiveAuthentication=no",
		"StrictHostKeyChecking=yes", "UserKnownHostsFile=" + sshQuote(key.KnownHostsFile), "GlobalKnownHostsFile=" + os.DevNull, "UpdateHostKeys=no",
		"HostName=" + to.Addr().String(), "HostKeyAlias=" + alias, "CheckHostIP=no", "Port=" + strconv.Itoa(int(to.Port())),
		"ProxyCommand=none", "ProxyJump=none", "PermitLocalCommand=no", "ClearAllForwardings=yes", "ForwardAgent=no", "ControlMaster=no", "ControlPath=none",
		"ConnectTimeout=" + strconv.Itoa(int(egress.ConnectTimeout.Seconds())), "ServerAliveInterval=15",
	} {
		words = append(words, "-o", option)
	}
	return words
}

// sshFailed is how ssh ends when it has not got as far as to run a command.
//
// Source: ssh(1), EXIT STATUS.
const sshFailed = 255

// TrySSH logs in at the host of a URL of the scheme ssh with a key, and says why that
// does not work; nil: it does. Hosts of repositories let nobody run a command, which is
// fine.
func TrySSH(ctx context.Context, d egress.Dialer, u *url.URL, key credential.Credential) error {
	host, hostport := strings.ToLower(u.Hostname()), egress.HostPort(u)
	to, err := d.Pin(ctx, hostport)
	if err != nil {
		return err
	}
	user := u.User.Username()
	if user == "" {
		user = key.SSHUser()
	}
	args := append(sshOptions(key, hostport, to), "-T", "-l", user, "--", host, "true")
	_, complaints, err := command.Run(ctx, command.Command{Path: "ssh", Args: args})
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() != sshFailed {
		return nil
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(complaints), "\n")
		return fmt.Errorf("ssh: %s: %w", artifact.Clean(lines[len(lines)-1], 300), err)
	}
	return nil
}

// shellQuote returns a word as a POSIX shell reads it.
func shellQuote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// sshQuote returns a file name as the configuration of ssh reads it.
func sshQuote(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(name) + `"`
}
