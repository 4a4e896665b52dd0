package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestATokenIsShownOnceAndRevoked(t *testing.T) {
	data := t.TempDir()
	code, token, stderr := run(t, "token", "create", "--data", data, "--user", "alice", "--group", "staff", "--expires", "1d")
	if code != 0 || !strings.HasPrefix(token, "weir_") {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	_, list, _ := run(t, "token", "list", "--data", data)
	id := strings.Split(token, "_")[1]
	if !strings.Contains(list, id) || !strings.Contains(list, "alice") || !strings.Contains(list, "good") || strings.Contains(list, strings.TrimSpace(token)) {
		t.Errorf("%s", list)
	}
	if code, _, stderr := run(t, "token", "revoke", "--data", data, id); code != 0 {
		t.Errorf("%s", stderr)
	}
	_, list, _ = run(t, "token", "list", "--data", data, "--json")
	var all []map[string]any
	if err := json.Unmarshal([]byte(list), &all); err != nil || len(all) != 1 || all[0]["revoked"] != true {
		t.Errorf("%s: %v", list, err)
	}
}

func TestWrongUseOfTokens(t *testing.T) {
	data := t.TempDir()
	for _, test := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"token"}, 2, "create, list, revoke"},
		{[]string{"token", "create"}, 2, "--user"},
		{[]string{"token", "create", "--user", "a", "--expires", "soon"}, 2, "90d"},
		{[]string{"token", "revoke"}, 2, "id"},
		{[]string{"token", "revoke", "abcdef012345"}, 1, "abcdef012345"},
		{[]string{"user"}, 2, "set, remove"},
		{[]string{"user", "set", "alice", "--data", data}, 2, "standard input"},
		{[]string{"user", "remove", "alice", "--data", data}, 1, "alice"},
		{[]string{"login"}, 2, "URL"},
		{[]string{"login", "http://proxy.example.com"}, 2, "https"},
		{[]string{"login", "https://proxy.example.com"}, 2, "standard input"},
		{[]string{"logout", "https://proxy.example.com"}, 1, "no login"},
		{[]string{"config", "explain"}, 2, "module"},
	} {
		args := test.args
		if args[0] == "token" && len(args) > 1 {
			args = append(append([]string{}, args...), "--data", data)
		}
		t.Setenv("XDG_CONFIG_HOME", data)
		code, _, stderr := run(t, args...)
		if code != test.code || !strings.Contains(stderr, test.text) {
			t.Errorf("weir %q: exit %d: %s", args, code, stderr)
		}
	}
}

func TestTheGoCommandGetsNothingWhereNobodyLoggedIn(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for _, args := range [][]string{{"auth"}, {"auth", "https://proxy.example.com"}} {
		if code, stdout, stderr := run(t, args...); code != 0 || stdout != "" {
			t.Errorf("weir %q: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
}

const rules = `
access:
- {name: staff, match: [corp.example.com], subjects: ["group:staff", "claim:repository=acme/*"]}
- {name: withdrawn, match: [example.com/bad], effect: deny, reason: it is withdrawn}
`

func TestExplainSaysWhichRuleDecides(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"corp.example.com/x", "--as", "alice", "--group", "staff"}, 0, []string{"staff", "decides", "allowed"}},
		{[]string{"corp.example.com/x", "--claim", "repository=acme/app"}, 0, []string{"staff", "decides"}},
		{[]string{"corp.example.com/x", "--as", "bob"}, 1, []string{"default", "hidden"}},
		{[]string{"example.com/bad"}, 1, []string{"withdrawn", "denied"}},
		{[]string{"example.com/other"}, 0, []string{"default", "allowed"}},
		{[]string{"example.com/other", "--action", "admin"}, 1, []string{"denied"}},
	} {
		code, stdout, stderr := run(t, append([]string{"config", "explain", "--config", file}, test.args...)...)
		if code != test.code {
			t.Errorf("%q: exit %d: %s", test.args, code, stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%q: no %q in %s", test.args, want, stdout)
			}
		}
	}
}

func TestCheckFindsWhatOnlyTheServerWouldFind(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct{ yaml, want string }{
		"a rule that is none":     {"access:\n- {subjects: ['usr:alice']}\n", "usr:alice"},
		"a file that is missing":  {"tls: {cert_file: " + dir + "/missing.pem, key_file: " + dir + "/key.pem}\n", "missing.pem"},
		"a credential's file":     {"credentials:\n  forge: {url: 'https://git.example.com', netrc: " + dir + "/none}\n", "forge"},
		"a host that is none":     {"direct: {allow_hosts: ['http//x']}\n", "allow_hosts"},
		"no audience":             {"issuers:\n  ci: {url: 'https://ci.example.com'}\n", "audience"},
		"an open operation":       {"listen: ':3000'\nadmin: {allow_networks: ['0.0.0.0/0']}\n", "everybody"},
		"an operation for anyone": {"listen: ':3000'\naccess: [{name: ops, subjects: [anyone], actions: [admin]}]\n", "everybody"},
		"two sorts of credential": {"credentials:\n  forge: {url: 'https://git.example.com', password: a, helper: b}\n", "remove one"},
		"a key for https only":    {"credentials:\n  forge: {url: 'ssh://git.example.com', password: a}\n", "ssh_key_file"},
		"a network that is none":  {"auth: {deny_networks: [example.com]}\n", "10.0.0.0/8"},
		"an action that is none":  {"access:\n- {subjects: [anyone], actions: [write]}\n", "read, publish, admin"},
	} {
		file := filepath.Join(dir, "weir.yaml")
		if err := os.WriteFile(file, []byte(test.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := run(t, "config", "check", "--config", file); code != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
}
