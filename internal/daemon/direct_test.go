package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/config"
)

// obstructed is a configuration with which version control cannot be read, since a file
// is where its folder should be.
func obstructed(t *testing.T) (cfg *config.Config, obstacle string) {
	t.Helper()
	cfg = &config.Config{Data: t.TempDir()}
	obstacle = filepath.Join(cfg.Data, "direct")
	if err := os.WriteFile(obstacle, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg, obstacle
}

func TestTheBoundsOfVersionControlAreThoseOfTheConfiguration(t *testing.T) {
	cfg := &config.Config{Direct: config.Direct{MaxProcesses: 7, FetchSize: 5 << 30, CacheSize: 9 << 30, Timeout: config.Duration(time.Hour)}}
	cfg.Cache.MaxFills = 100
	v, why := newVersionControl(cfg, nil)
	if v == nil {
		t.Fatal(why)
	}
	if o := v.options; o.MaxProcesses != 7 || o.MaxFetches != 50 || o.MaxDisk != 5<<30 || o.CacheSize != 9<<30 || o.Timeout != time.Hour {
		t.Errorf("options are %+v", o)
	}
	if got := fillTimeout(cfg); got < 2*time.Hour {
		t.Errorf("a fetch, which may wait for an hour and then take one, is ended after %v", got)
	}
}

// Who has private modules hears at the start why they cannot be fetched.
func TestTroubleWithVersionControlIsToldAtTheStart(t *testing.T) {
	cfg, _ := obstructed(t)
	told := make(chan error, 1)
	v, why := newVersionControl(cfg, nil)
	if v == nil {
		t.Fatal(why)
	}
	v.failed = func(err error) { told <- err }
	d := &daemon{vcs: v}
	d.beginDirect(cfg)
	if len(told) > 0 || v.source != nil {
		t.Error("version control is begun with though nothing is private")
	}
	cfg.Private = config.Patterns{"example.com"}
	d.beginDirect(cfg)
	<-told
	if err := v.close(); err != nil {
		t.Error(err)
	}
}

// What keeps version control from being read is tried again.
func TestTroubleWithVersionControlIsNotRememberedForLong(t *testing.T) {
	cfg, obstacle := obstructed(t)
	synctest.Test(t, func(t *testing.T) {
		v, why := newVersionControl(cfg, nil)
		if v == nil {
			t.Fatal(why)
		}
		told := 0
		v.failed = func(error) { told++ }
		fetch := func() error {
			_, err := v.Fetch(t.Context(), artifact.Name{Kind: artifact.SumLatest, DB: "sum.example.org"}) // which has no sums
			return err
		}
		for range 2 {
			if err := fetch(); artifact.Status(err) != 503 || artifact.RetryAfter(err) != reopenAfter {
				t.Errorf("where its folder is a file: %v, again after %v", err, artifact.RetryAfter(err))
			}
		}
		if told != 1 {
			t.Errorf("the operator was told %d times", told)
		}
		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(reopenAfter)
		if err := fetch(); artifact.Status(err) != 404 {
			t.Errorf("when the file is gone: %v", err)
		}
		if err := v.close(); err != nil {
			t.Error(err)
		}
	})
}
