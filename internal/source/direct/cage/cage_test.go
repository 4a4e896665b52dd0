package cage

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/egress"
	"github.com/goweir/weir/internal/source/direct/clones"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// everywhere is a credential that is shown to every host.
type everywhere credential.Credential

func (e everywhere) Find(context.Context, *url.URL) (credential.Credential, bool, error) {
	return credential.Credential(e), true, nil
}

// build builds a cage for work on github.com/a/b.
func build(t *testing.T, shown credential.Finder) *Cage {
	t.Helper()
	dir := t.TempDir()
	k, err := Open(Options{Dir: filepath.Join(dir, "run"), VCS: []string{"git"}, Timeout: time.Minute, MaxDisk: 1 << 20, Dialer: egress.Dialer{}, Transport: http.DefaultTransport, Credentials: shown})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	all, err := clones.Open(filepath.Join(dir, "clones"), filepath.Join(dir, "run"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	clone, err := all.Use("a")
	if err != nil {
		t.Fatal(err)
	}
	r := origin.Repository{Prefix: "github.com/a/b", VCS: "git", Location: &url.URL{Scheme: "https", Host: "github.com", Path: "/a/b"}}
	c, err := k.Build(t.Context(), clone, "github.com/a/b", r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAPasswordIsInOneFileAndNowhereElse(t *testing.T) {
	const password = "c4n4ry/s3cret"
	c := build(t, everywhere{Username: "robot", Password: password})
	defer c.Close()
	basic := base64.StdEncoding.EncodeToString([]byte("robot:" + password))
	for _, variable := range c.env {
		if strings.Contains(variable, "c4n4ry") || strings.Contains(variable, basic) {
			t.Errorf("a command sees %s", variable)
		}
	}
	text, err := os.ReadFile(c.credentials())
	if want := "https://robot:" + url.PathEscape(password) + "@github.com\n"; err != nil || string(text) != want {
		t.Errorf("git reads %q, %v; want %q", text, err, want)
	}
	if info, err := os.Stat(c.credentials()); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v, %v", info, err)
	}
	if got := c.Redact("in " + c.dir + "/mod: " + password + " and " + basic + " are wrong"); got != "in /mod: xxxxx and xxxxx are wrong" {
		t.Errorf("what is shown: %q", got)
	}
}

func TestTheCloneAloneOutlivesACage(t *testing.T) {
	c := build(t, nil)
	kept := filepath.Join(c.clone.Dir(), "pack")
	if err := os.WriteFile(filepath.Join(c.vcs(), "pack"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, _, err := c.Run(t.Context(), "env", "GOMODCACHE"); err != nil || strings.TrimSpace(stdout) != c.modCache() {
		t.Errorf("the module cache is %q, %v", stdout, err)
	}
	c.Close()
	if err := c.Remove(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(c.keeper.o.Dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("the clone lost what was put into it: %v", err)
	}
}
