package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/daemon"
)

// check says what would keep a server with a configuration file from starting.
func check(t *testing.T, yaml string) error {
	t.Helper()
	name, data := filepath.Join(t.TempDir(), "weir.yaml"), t.TempDir()
	if err := os.WriteFile(name, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(t.Context(), config.Flags{Config: name, Data: &data}, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return daemon.Check(cfg)
}

func TestAnOperationThatIsOpenToStrangersIsRefused(t *testing.T) {
	const (
		world  = "listen: '0.0.0.0:3000'\n"
		local  = "listen: 'localhost:3000'\n"
		anyone = "access: [{name: ops, subjects: [anyone], actions: [admin]}]\n"
		every  = "admin: {allow_networks: ['0.0.0.0/0']}\n"
		halves = "admin: {allow_networks: ['0.0.0.0/1', '128.0.0.0/1']}\n"
	)
	for name, test := range map[string]struct{ yaml, want string }{
		"the defaults":                     {world, ""},
		"every address":                    {world + every, "admin.allow_networks"},
		"every address in halves":          {world + halves, "admin.allow_networks"},
		"every address in eighths":         {world + "admin: {allow_networks: ['0.0.0.0/3', '32.0.0.0/3', '64.0.0.0/3', '96.0.0.0/3', '128.0.0.0/3', '160.0.0.0/3', '192.0.0.0/3', '224.0.0.0/3']}\n", "admin.allow_networks"},
		"every address of IPv6":            {world + "admin: {allow_networks: ['2000::/3']}\n", "admin.allow_networks"},
		"anyone":                           {world + anyone, `"ops"`},
		"anyone, at an address of its own": {local + anyone + "admin: {listen: ':9090'}\n", ":9090"},
		"anyone from any address":          {world + "access: [{name: ops, subjects: ['net:0.0.0.0/1', 'net:128.0.0.0/1'], actions: [admin]}]\n", `"ops"`},
		"anyone but one":                   {world + "access: [{subjects: ['user:bob'], effect: deny, actions: [admin]}, {name: ops, subjects: [anyone], actions: [admin]}]\n", `"ops"`},
		"anyone after a rule that denies":  {world + "access: [{subjects: [anyone], effect: deny, actions: [admin]}, {name: ops, subjects: [anyone], actions: [admin]}]\n", ""},
		"anyone on this machine":           {local + anyone + every, ""},
		"anyone, where that is local":      {world + anyone + "admin: {listen: 'localhost:9090'}\n", ""},
		"anyone with credentials":          {world + anyone + "auth: {anonymous: false}\n", ""},
		"anyone of networks that come in":  {world + anyone + "auth: {allow_networks: [10.0.0.0/8]}\n", ""},
		"who has a name":                   {world + "access: [{subjects: [authenticated], actions: [admin]}]\n", ""},
		"own networks":                     {world + "admin: {allow_networks: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 'fd00::/8', '198.51.100.0/24']}\n", ""},
		"readers only":                     {world + "access: [{subjects: [anyone]}]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := check(t, test.yaml)
			if test.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "everybody")) {
				t.Errorf("error %v, want one about %s", err, test.want)
			}
		})
	}
}
