package config

import (
	"strings"
	"testing"
)

func TestCredentialsThatWouldBeSeenByOthersAreRefusedAndNotShown(t *testing.T) {
	for what, c := range map[string]struct{ entry, want string }{
		"over http":               {"{url: 'http://git.example.com', password: canary}", "write https"},
		"to a host of a file":     {"{url: 'file:///git.example.com', password: canary}", "not the beginning of the URL"},
		"a token in the URL":      {"{url: 'https://canary@git.example.com', netrc: /n}", "as password"},
		"a password in the URL":   {"{url: 'https://robot:canary@git.example.com', netrc: /n}", "as password"},
		"a password for ssh":      {"{url: 'ssh://git:canary@git.example.com', ssh_key_file: /k, known_hosts_file: /h}", "as password"},
		"a command of the shell":  {"{url: 'https://git.example.com', helper: '!f() { echo password=canary; }; f'}", "command line"},
		"one on a line of its":    {"\n    url: https://git.example.com\n    helper: \"!f() { echo password=canary; }; f\"", "command line"},
		"one without quotes":      {"\n    url: https://git.example.com\n    helper: !f() { echo password=canary; }; f", "a tag"},
		"one on several lines":    {"\n    url: https://git.example.com\n    helper: >-\n      !echo\n      password=canary", "command line"},
		"one where a list may be": {"\n    url: https://git.example.com\n    helper: ['!echo password=canary']", "not a list"},
	} {
		_, _, _, err := loadText(t, "upstream: off\ncredentials:\n  forge: "+c.entry+"\n", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v; want %q", what, err, c.want)
		}
	}
}

func TestTheUserOfSSHMayStandInTheURL(t *testing.T) {
	_, _, _, err := loadText(t, "upstream: off\ncredentials:\n  forge: {url: 'ssh://git@git.example.com:2222', ssh_key_file: /k, known_hosts_file: /h}\n", nil)
	if err != nil {
		t.Error(err)
	}
}

func TestSecretsOfEntriesCanStandInVariablesAndFiles(t *testing.T) {
	const text = `
upstream: company
upstreams:
  company: {url: 'https://a.example.com', bearer_env: BEARER, headers: {X-A: a}, headers_env: {X-B: HEADER}, headers_file: {X-C: PATH/c}}
credentials:
  forge: {url: 'https://git.example.com', password_env: GIT_TOKEN}
  app: {url: 'https://github.com/our', github_app: 1, github_installation: 2, github_key_env: KEY}
  other: {url: 'https://github.com/other', github_app: 1, github_installation: 2, github_key_file: PATH/key}
`
	variables := []string{"BEARER=canary1", "HEADER=canary2", "GIT_TOKEN= canary3\n", "KEY=canary4\ncanary4"}
	c, printed, dir, err := loadText(t, text, map[string]string{"c": canary, "key": canary}, variables...)
	if err != nil {
		t.Fatal(err)
	}
	company := c.Upstreams["company"]
	got := []string{company.Bearer.Reveal(), company.Headers["X-B"].Reveal(), company.Headers["X-C"].Reveal(), c.Credentials["forge"].Password.Reveal(), c.Credentials["app"].GitHubKey.Reveal(), c.Credentials["other"].GitHubKey.Reveal()}
	compare(t, got, []string{"canary1", "canary2", canary, "canary3", "canary4\ncanary4", canary})
	compare(t, c.Files(), []string{dir + "/c", dir + "/key", dir + "/weir.yaml"})
	for _, want := range []string{
		`bearer_env: "BEARER"`, `headers_env: {"X-B": "HEADER"}`, `password_env: "GIT_TOKEN"`, `github_key_env: "KEY"`, `github_key_file: "` + dir + `/key"`,
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("%s is missing in\n%s", want, printed)
		}
	}
	if strings.Contains(printed, canary) {
		t.Errorf("a secret is shown:\n%s", printed)
	}
	again, _, _, err := loadText(t, strings.ReplaceAll(printed, `"xxxxx"`, "a"), nil, variables...)
	if err != nil {
		t.Fatal(err)
	}
	again.file = c.file
	compare(t, again, c)
}

func TestVariablesOfSecretsThatAreNotThereAreToldOf(t *testing.T) {
	const entry = "upstream: off\ncredentials:\n  forge:\n    url: https://git.example.com\n    "
	for what, c := range map[string]struct{ text, want string }{
		"not set":                 {entry + "password_env: NOTHING\n", "no variable of this name"},
		"empty":                   {entry + "password_env: EMPTY\n", "no variable of this name"},
		"a token instead":         {entry + "password_env: canary\n", "no variable of this name"},
		"both":                    {entry + "password: canary\n    password_env: HERE\n", "already in line"},
		"put into the value":      {entry + "password: ${HERE}\n", "write its name as password_env"},
		"put into a header":       {"upstream: off\nupstreams:\n  a: {url: a.example.com, headers: {X-A: '${HERE}'}}\n", "write its name as headers_env"},
		"of what has one already": {"upstream_env: HERE\n", "unknown key"},
		"of what is no secret":    {entry + "netrc_env: HERE\n", "unknown key"},
	} {
		_, _, _, err := loadText(t, c.text, nil, "EMPTY=", "HERE=x")
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v; want %q", what, err, c.want)
		}
	}
}
