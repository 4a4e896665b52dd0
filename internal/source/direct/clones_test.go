//go:build unix

package direct

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source/direct/clones"
)

// incompressible is the text of a file that takes its size in every clone.
func incompressible(mod string, size int) string {
	return string(modtest.BigModule(mod, "v1.0.0", size).Zip)
}

func TestAListIsOneQuestionAndFetchesNothing(t *testing.T) {
	f := newForge(t)
	c := simple(caged, "v1.0.0", "v1.1.0")
	c.Files["big"] = incompressible(caged, 1<<20)
	repo(t, f, caged, c)
	s := open(t, f)
	refsOf(t, s) // takes a question more, now and then
	f.Reset()
	mustFetch(t, s, caged+"/@v/list")
	if refs, posts := f.Count("/info/refs"), f.Count("/git-upload-pack"); refs != 1 || posts > 1 { // by protocol version 2 the refs come in a second request
		t.Errorf("%d and %d requests: %+v", refs, posts, f.Requests())
	}
	if size := clones.Size(clonesDir(s)); size > 256<<10 {
		t.Errorf("the clone has %d bytes", size)
	}
}

func TestAFurtherVersionCostsWhatItAdds(t *testing.T) {
	f := newForge(t)
	first := simple(caged, "v1.0.0")
	first.Files["big"] = incompressible(caged, 1<<20)
	r := repo(t, f, caged, first)
	s := open(t, f)
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
	before := clones.Size(clonesDir(s))
	commit(t, r, modtest.Commit{Files: files{"small": "1\n"}, Tags: []string{"v1.0.1"}})
	mustFetch(t, s, caged+"/@v/v1.0.1.zip")
	if more := clones.Size(clonesDir(s)) - before; before < 1<<20 || more > 512<<10 {
		t.Errorf("the clone had %d bytes, and %d more for the second version", before, more)
	}
}

func TestNothingIsExtractedAndNothingLeftBehind(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	found := filepath.Join(t.TempDir(), "found")
	s := open(t, f, wrap(t, `[ $self = go ] && { "$real" "$@"; code=$?; find -L "$GOMODCACHE" -name x.go >> `+found+`; exit $code; }`).use)
	for _, file := range []string{"list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip", "main.info"} {
		mustFetch(t, s, caged+"/@v/"+file)
	}
	extracted, err := os.ReadFile(found)
	if err != nil || len(extracted) > 0 {
		t.Errorf("extracted: %q, %v", extracted, err)
	}
	if left := leftovers(t, s); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTheInfoAndTheModOfAVersionAreOneWork(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	w := wrap(t, "")
	s := open(t, f, w.use)
	var wg sync.WaitGroup
	for range 8 {
		for _, file := range []string{"v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"} {
			wg.Go(func() {
				if _, err := fetch(t, s, caged+"/@v/"+file); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	mustFetch(t, s, caged+"/@v/v1.0.0.mod")
	if lists := w.calls(t, "go list"); len(lists) > 1 {
		t.Errorf("go list ran %d times", len(lists))
	}
}

func TestTagBranchAndHashOfOneCommitAreFetchedOnce(t *testing.T) {
	f := newForge(t)
	r := repo(t, f, caged, simple(caged, "v1.0.0"))
	hash := git(t, r, "rev-parse", "main")
	w := wrap(t, "")
	s := open(t, f, w.use)
	var wg sync.WaitGroup
	for _, version := range []string{"v1.0.0", "main", hash, hash[:12]} {
		wg.Go(func() {
			if got := versionOf(t, mustFetch(t, s, caged+"/@v/"+version+".info")); got != "v1.0.0" {
				t.Errorf("%s is %s", version, got)
			}
		})
	}
	wg.Wait()
	if fetches := w.calls(t, " fetch "); len(fetches) != 1 {
		t.Errorf("%d fetches: %q", len(fetches), fetches)
	}
}

func TestAMovedTagBreaksNothing(t *testing.T) {
	f := newForge(t)
	r := repo(t, f, caged, simple(caged, "v1.0.0"))
	s := open(t, f)
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
	commit(t, r, modtest.Commit{Files: files{"y": "1"}, Tags: []string{"v1.0.0", "v1.1.0"}})
	mustFetch(t, s, caged+"/@v/v1.1.0.zip")
	mustFetch(t, s, caged+"/@v/main.info")
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
	if refs := refsOf(t, s); refs["refs/tags/v1.0.0"] != git(t, r, "rev-parse", "v1.0.0") {
		t.Errorf("v1.0.0 is told to be at %q", refs["refs/tags/v1.0.0"])
	}
	commit(t, r, modtest.Commit{Files: files{"z": "1"}})
	if got := versionOf(t, mustFetch(t, s, caged+"/@v/main.info")); !strings.HasPrefix(got, "v1.1.1-0.") {
		t.Errorf("main is %s", got)
	}
	git(t, r, "tag", "-d", "v1.1.0")
	if got := mustFetch(t, s, caged+"/@v/list"); got != "v1.0.0\n" {
		t.Errorf("list = %q", got)
	}
}

// refsOf returns what the list of versions says of the repository.
func refsOf(t *testing.T, s *Source) map[string]string {
	t.Helper()
	b, err := s.Fetch(patient(t), name(t, caged+"/@v/list"))
	if err != nil {
		t.Fatal(err)
	}
	return b.Refs
}

func TestWhatTagsStandForIsAskedNowAndThenOnly(t *testing.T) {
	f := newForge(t)
	r := repo(t, f, caged, simple(caged, "v1.0.0"))
	git(t, r, "-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "-a", "-m", "annotated", "v1.1.0", "main")
	w := wrap(t, "")
	s := open(t, f, w.use)
	first := refsOf(t, s)
	for _, version := range []string{"v1.0.0", "v1.1.0"} {
		if got, want := first["refs/tags/"+version], git(t, r, "rev-parse", version+"^{commit}"); got != want {
			t.Errorf("%s is told to be at %q, not %s", version, got, want)
		}
	}
	if again := refsOf(t, s); again != nil {
		t.Errorf("told again: %v", again)
	}
	if asked := w.calls(t, "ls-remote -q --tags"); len(asked) != 1 {
		t.Errorf("asked %d times", len(asked))
	}
}

func TestABranchThatWasRewrittenIsFollowed(t *testing.T) {
	f := newForge(t)
	r := repo(t, f, caged, simple(caged), modtest.Commit{Files: files{"y": "1"}})
	s := open(t, f)
	first := versionOf(t, mustFetch(t, s, caged+"/@v/main.info"))
	commit(t, r, modtest.Commit{From: "refs/heads/main~1", Files: files{"z": "1"}})
	second := versionOf(t, mustFetch(t, s, caged+"/@v/main.info"))
	if first == second {
		t.Errorf("main stays %s", first)
	}
	mustFetch(t, s, caged+"/@v/"+second+".zip")
}

func TestTheLeastRecentlyUsedCloneGoesFirst(t *testing.T) {
	f := newForge(t)
	dir := t.TempDir()
	s := open(t, f, func(o *Options) { o.Dir = dir; o.CacheSize = 3 << 20 })
	for _, mod := range []string{"github.com/weir/a", "github.com/weir/b", "github.com/weir/c"} {
		c := simple(mod, "v1.0.0")
		c.Files["big"] = incompressible(mod, 1<<20)
		repo(t, f, mod, c)
	}
	mustFetch(t, s, "github.com/weir/a/@v/v1.0.0.zip")
	mustFetch(t, s, "github.com/weir/b/@v/v1.0.0.zip")
	mustFetch(t, s, "github.com/weir/a/@v/list")
	mustFetch(t, s, "github.com/weir/c/@v/v1.0.0.zip")
	if got := clonesOf(t, s); got != "a c" {
		t.Errorf("clones of %s are kept", got)
	}
	if size := clones.Size(dir); size > 3<<20 {
		t.Errorf("the folder has %d bytes", size)
	}
	mustFetch(t, s, "github.com/weir/b/@v/v1.0.0.zip")
}

// clonesOf returns the last elements of the repositories that have a clone.
func clonesOf(t *testing.T, s *Source) string {
	t.Helper()
	configs, err := filepath.Glob(filepath.Join(clonesDir(s), "*", "*", "config"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, config := range configs {
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		_, mod, _ := strings.Cut(string(text), "https://github.com/weir/")
		found = append(found, mod[:1])
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

// clonesDir returns the folder of the clones of a Source.
func clonesDir(s *Source) string { return filepath.Join(s.o.Dir, "clones") }

func TestLeftoversOfACrashAreSwept(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	dir := t.TempDir()
	w := wrap(t, "")
	reopen := func() *Source { return open(t, f, w.use, func(o *Options) { o.Dir = dir }) }
	s := reopen()
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	gitDir := bareClone(t, s)
	locks := []string{"shallow.lock", "config.lock", "packed-refs.lock", "refs/tags/v1.0.1.lock", "objects/pack/tmp_pack_x"}
	for _, lock := range locks {
		write(t, filepath.Join(gitDir, lock))
	}
	write(t, filepath.Join(dir, "run", "run-1", "credentials"))
	s = reopen()
	for _, lock := range locks {
		if _, err := os.Stat(filepath.Join(gitDir, lock)); err == nil {
			t.Errorf("%s is left", lock)
		}
	}
	if left := leftovers(t, s); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
	if fetches := w.calls(t, " fetch "); len(fetches) != 1 {
		t.Errorf("the clone of before was not used: %q", fetches)
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// bareClone returns the one repository that a Source has a clone of.
func bareClone(t *testing.T, s *Source) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(clonesDir(s), "*", "*", "HEAD"))
	if err != nil || len(found) != 1 {
		t.Fatalf("clones: %v, %v", found, err)
	}
	return filepath.Dir(found[0])
}

func TestABrokenCloneIsMadeAnew(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, gitDir string){
		"truncated packs": func(t *testing.T, gitDir string) { truncate(t, filepath.Join(gitDir, "objects")) },
		"no objects":      func(t *testing.T, gitDir string) { remove(t, filepath.Join(gitDir, "objects")) },
		"empty config":    func(t *testing.T, gitDir string) { truncate(t, filepath.Join(gitDir, "config")) },
		"bad config":      func(t *testing.T, gitDir string) { write(t, filepath.Join(gitDir, "config")) },
		"a lock":          func(t *testing.T, gitDir string) { write(t, filepath.Join(gitDir, "shallow.lock")) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			r := repo(t, f, caged, simple(caged, "v1.0.0"))
			s := open(t, f)
			mustFetch(t, s, caged+"/@v/v1.0.0.zip")
			harm(t, bareClone(t, s))
			commit(t, r, modtest.Commit{Files: files{"y": "1"}, Tags: []string{"v1.0.1"}})
			mustFetch(t, s, caged+"/@v/v1.0.1.zip")
			mustFetch(t, s, caged+"/@v/v1.0.0.zip")
		})
	}
}

func TestABrokenCloneIsMadeAnewWhileOthersUseIt(t *testing.T) {
	f := newForge(t)
	r := repo(t, f, caged, simple(caged, "v1.0.0"))
	s := open(t, f)
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
	at, ok := s.repositories.Get(caged)
	if !ok {
		t.Fatal("nobody knows where the repository is")
	}
	other, err := s.clones.Use(at.Key())
	if err != nil {
		t.Fatal(err)
	}
	truncate(t, filepath.Join(bareClone(t, s), "objects"))
	commit(t, r, modtest.Commit{Files: files{"y": "1"}, Tags: []string{"v1.0.1"}})
	mustFetch(t, s, caged+"/@v/v1.0.1.zip")
	if entries, err := os.ReadDir(other.Dir()); err != nil || len(entries) == 0 {
		t.Errorf("the clone is gone while somebody uses it: %v, %v", entries, err)
	}
	if err := other.GiveBack(); err != nil {
		t.Fatal(err)
	}
	bareClone(t, s) // the only one
	mustFetch(t, s, caged+"/@v/v1.0.0.zip")
}

func truncate(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		return os.Truncate(path, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir string) {
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

func TestFoldersAreForTheirOwnerOnly(t *testing.T) {
	f := newForge(t)
	dir := filepath.Join(t.TempDir(), "new", "folder")
	s := open(t, f, func(o *Options) { o.Dir = dir })
	for _, d := range []string{dir, runsDir(s), clonesDir(s)} {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", d, info, err)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	w := wrapping{dir: t.TempDir()}
	for version, want := range map[string]string{
		"go1.26.5": "at least go1.26.6 is needed", "go1.25.9": "at least", "devel +abc": "at least", "go1.26.6": "", "go1.27rc1": "", "go1.26.8 X:nodwarf5": "", "devel go1.27-abc Fri": "",
	} {
		w.write(t, "go", "echo '"+version+"'\n")
		s, err := New(Options{Dir: t.TempDir(), Go: filepath.Join(w.dir, "go")})
		if err == nil {
			s.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", version, err, want)
		}
	}
	for name, o := range map[string]Options{
		"not installed": {Go: "/none/go"}, "svn": {VCS: []string{"git", "svn"}}, "no such file": {CAFile: "/none"}, "has no certificate": {CAFile: w.dir + "/go"},
	} {
		o.Dir = t.TempDir()
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAModuleAroundTheFolderDoesNotCount(t *testing.T) {
	f := newForge(t)
	repo(t, f, caged, simple(caged, "v1.0.0"))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/around\n\nreplace "+caged+" => ./none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, f, func(o *Options) { o.Dir = filepath.Join(dir, "data", "direct") })
	if got := mustFetch(t, s, caged+"/@v/list"); got != "v1.0.0\n" {
		t.Errorf("list = %q", got)
	}
	wantClass(t, s, caged+"/@v/v1.0.1.zip", artifact.ErrNotFound)
}
