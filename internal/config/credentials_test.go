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
