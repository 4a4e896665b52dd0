package clones

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, dir string, limit int64) *Cache {
	t.Helper()
	c, err := Open(dir, t.TempDir(), limit)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func use(t *testing.T, c *Cache, repository string) *Clone {
	t.Helper()
	k, err := c.Use(repository)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fill writes a file of 100 bytes into a clone.
func fill(t *testing.T, k *Clone, name string) string {
	t.Helper()
	path := filepath.Join(k.Dir(), filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, make([]byte, 100), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func giveBack(t *testing.T, k *Clone) {
	t.Helper()
	if err := k.GiveBack(); err != nil {
		t.Error(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestACloneInUseIsNotGivenUp(t *testing.T) {
	c := open(t, t.TempDir(), 10)
	k := use(t, c, "a")
	if again := use(t, c, "a"); again != k {
		t.Fatal("another clone")
	}
	fill(t, k, "pack")
	k.GiveUp()
	giveBack(t, k)
	if !exists(k.Dir()) {
		t.Error("the clone is gone while it is used")
	}
	giveBack(t, k)
	if exists(k.Dir()) {
		t.Error("the clone is kept beyond the limit")
	}
}

func TestACloneOfNoUseIsForNobodyElse(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, 1<<20)
	broken := use(t, c, "a")
	fill(t, broken, "pack")
	broken.GiveUp()
	fresh := use(t, c, "a")
	if fresh == broken || fresh.Dir() == broken.Dir() {
		t.Fatal("the next one gets it, too")
	}
	broken.GiveUp() // as all do who find out
	if again := use(t, c, "a"); again != fresh {
		t.Error("the new one is given up, too")
	}
	kept := fill(t, fresh, "pack")
	crashed := open(t, dir, 1<<20) // while both were in use
	if k := use(t, crashed, "a"); k.Dir() != fresh.Dir() || !exists(kept) || exists(broken.Dir()) {
		t.Errorf("after a crash: %s; the new one is there: %v, the broken one: %v", k.Dir(), exists(kept), exists(broken.Dir()))
	}
}

// The clock may have been set back between two runs.
func TestTheNewerOfTwoClonesIsKeptWhateverTheClockSaid(t *testing.T) {
	dir := t.TempDir()
	broken := use(t, open(t, dir, 1<<20), "a")
	ahead := filepath.Join(dir, broken.name+"-9000000000000000000")
	if err := os.Rename(broken.Dir(), ahead); err != nil {
		t.Fatal(err)
	}
	c := open(t, dir, 1<<20)
	broken = use(t, c, "a")
	if broken.Dir() != ahead {
		t.Fatalf("the clone of the run before is not used, but %s", broken.Dir())
	}
	broken.GiveUp()
	fresh := use(t, c, "a")
	if k := use(t, open(t, dir, 1<<20), "a"); k.Dir() != fresh.Dir() { // after a crash
		t.Errorf("%s is used, not %s", k.Dir(), fresh.Dir())
	}
}

func TestANewCloneNeverGetsTheFolderOfAnother(t *testing.T) {
	c := open(t, t.TempDir(), 10)
	broken := use(t, c, "a")
	broken.GiveUp()
	for range 3 {
		k := use(t, c, "a")
		fill(t, k, "pack")
		if k.Dir() == broken.Dir() {
			t.Fatal("it has the folder of the broken one, which is in use")
		}
		giveBack(t, k) // and gone, since it is too large
	}
}

func TestACloneOfNoUseGoesWithItsLastUser(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	broken := use(t, c, "a")
	use(t, c, "a")
	broken.GiveUp()
	giveBack(t, broken)
	fresh := use(t, c, "a")
	if !exists(broken.Dir()) {
		t.Error("it is gone while it is used")
	}
	giveBack(t, broken)
	if exists(broken.Dir()) || !exists(fresh.Dir()) {
		t.Errorf("left: the broken one %v, the new one %v", exists(broken.Dir()), exists(fresh.Dir()))
	}
	fresh.GiveUp()
	giveBack(t, fresh)
	if k := use(t, c, "a"); !exists(k.Dir()) || k == fresh {
		t.Error("there is no new one")
	}
}

func TestTheOneUnusedForLongestGoesFirstAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, 250)
	kept := map[string]*Clone{}
	for _, name := range []string{"a", "b", "a"} {
		k := use(t, c, name)
		fill(t, k, "pack")
		time.Sleep(10 * time.Millisecond) // what the clock of a file system can tell apart
		giveBack(t, k)
		kept[name] = k
	}
	c = open(t, dir, 250)
	k := use(t, c, "c")
	fill(t, k, "pack")
	giveBack(t, k)
	if !exists(kept["a"].Dir()) || exists(kept["b"].Dir()) || !exists(k.Dir()) {
		t.Errorf("kept: a %v, b %v, c %v", exists(kept["a"].Dir()), exists(kept["b"].Dir()), exists(k.Dir()))
	}
	if size := Size(dir); size != 200 {
		t.Errorf("%d bytes are kept", size)
	}
}

func TestWhatAKilledCommandLeavesIsGoneBeforeTheNextUse(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	k := use(t, c, "a")
	lock, unfinished, pack := fill(t, k, "git/shallow.lock"), fill(t, k, "git/objects/tmp_pack_x"), fill(t, k, "git/objects/pack")
	holder := fill(t, k, "0123.lock") // of the go command
	other := use(t, c, "a")
	k.Killed()
	giveBack(t, k)
	use(t, c, "a")
	if !exists(lock) {
		t.Error("a lock is gone while a command may hold it")
	}
	giveBack(t, other)
	giveBack(t, other)
	use(t, c, "a")
	if exists(lock) || exists(unfinished) || !exists(pack) || !exists(holder) {
		t.Errorf("left: lock %v, unfinished %v, pack %v, lock of the go command %v", exists(lock), exists(unfinished), exists(pack), exists(holder))
	}
}

func TestOneAtATimeAsksARepository(t *testing.T) {
	k := use(t, open(t, t.TempDir(), 1<<20), "a")
	done, err := k.Ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	late := errors.New("too late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, late)
	defer cancel()
	if _, err := k.Ask(ctx); !errors.Is(err, late) {
		t.Errorf("a second one: %v", err)
	}
	done()
	if _, err := k.Ask(t.Context()); err != nil {
		t.Errorf("the next one: %v", err)
	}
}
