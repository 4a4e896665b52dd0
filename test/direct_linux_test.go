//go:build !race

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

func TestAListOfAThousandTagsIsTwoQuestionsAtMost(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com") {
		return
	}
	const tags = 1000
	c := newCompany(t)
	commit := modtest.Commit{Files: map[string]string{"go.mod": "module corp.example.com/many\n"}}
	for i := range tags {
		commit.Tags = append(commit.Tags, fmt.Sprintf("v1.%d.0", i))
	}
	if _, err := c.forge.Repo("git.example.com/group/many.git", commit); err != nil {
		t.Fatal(err)
	}
	c.forge.GoImport("corp.example.com/many", "corp.example.com/many git https://git.example.com/group/many.git")
	w := c.weir(t, "off")
	watch := startStopwatch()
	list := w.get(t, "/corp.example.com/many/@v/list")
	t.Logf("%d tags: %v", tags, watch.took())
	if n := strings.Count(string(list.body), "\n"); !list.whole() || n != tags {
		t.Errorf("%d versions: %.200s", n, list)
	}
	// One question is for the list; another one, once an hour, for what its tags stand for.
	// Each is asked without credentials first.
	if n := c.forge.Count("git-upload-pack"); n > 8 {
		t.Errorf("the repository was asked %d times: %v", n, c.forge.Requests())
	}
}

// Slow hosts of repositories are nothing that cached answers feel. Rounds of hits with all
// well and rounds with a slow host take turns, so that what else the machine does meets both.
func TestF15CachedAnswersDoNotFeelSlowRepositories(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com") {
		return
	}
	const rounds, fetches, slower = 7, 30, 3
	c := newCompany(t)
	modules, _ := graph(20)
	w := c.weir(t, modtest.New(modules...).Start(t))
	var held []string
	for _, m := range modules {
		held = append(held, files(m.Path, m.Version)...)
	}
	for _, path := range held {
		w.get(t, path)
	}
	var well, slow []time.Duration
	for round := range rounds {
		well = append(well, w.hits(t, held))
		leave := c.slow(t, w, fetches, round)
		slow = append(slow, w.hits(t, held))
		leave()
	}
	a, b := median(well), median(slow)
	t.Logf("p99 of cached answers: %v with all well, %v while %d fetches wait for a repository (%+.0f %%)", a, b, fetches, 100*(float64(b)/float64(a)-1))
	if b > slower*a+2*time.Millisecond {
		t.Errorf("the p99 is more than %d times as long: %v and %v", slower, well, slow)
	}
}

// slow lets fetches wait for a host of the company until leave is called.
func (c *company) slow(t *testing.T, w *weir, fetches, round int) (leave func()) {
	t.Helper()
	release := make(chan struct{})
	c.forge.Handle("corp.example.com/slow", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	base := fmt.Sprintf("corp.example.com/slow/round%d/", round)
	var waiting []<-chan response
	for i := range fetches {
		waiting = append(waiting, ask(t.Context(), w.request(t, fmt.Sprintf("/%sm%d/@v/list", base, i))))
	}
	eventually(t, 20*time.Second, "all fetches wait for the host", func() bool { return c.forge.Count(base) >= fetches })
	return func() {
		t.Helper()
		close(release)
		for _, answer := range waiting {
			<-answer
		}
		w.idle(t)
	}
}

// What is kept of a repository makes a second version cheap: of a long history only what
// is new travels.
func TestASecondCommitCostsWhatIsNewInIt(t *testing.T) {
	if !inland(t, "corp.example.com", "git.example.com") {
		return
	}
	const commits, size = 50, 1 << 20
	c := newCompany(t)
	data, history := make([]byte, size), make([]modtest.Commit, commits)
	random := rand.NewChaCha8([32]byte{})
	for i := range history {
		random.Read(data)
		history[i].Files = map[string]string{"go.mod": "module corp.example.com/old\n", "data.bin": string(data)}
	}
	history[0].Tags = []string{"v1.0.0"} // the nearest one counts in pseudo-versions
	repo, err := c.forge.Repo("git.example.com/group/old.git", history...)
	if err != nil {
		t.Fatal(err)
	}
	c.forge.GoImport("corp.example.com/old", "corp.example.com/old git https://git.example.com/group/old.git")
	w := c.weir(t, "off")
	took := map[string]time.Duration{}
	for _, which := range []string{"main~1", "main"} {
		hash, err := repo.Git("rev-parse", which)
		if err != nil {
			t.Fatal(err)
		}
		watch := startStopwatch()
		info := w.get(t, "/corp.example.com/old/@v/"+strings.TrimSpace(hash)+".info")
		var version struct{ Version string }
		if err := json.Unmarshal(info.body, &version); err != nil || !strings.HasPrefix(version.Version, "v1.0.1-0.") {
			t.Fatalf("%s: %v %v", which, info, err)
		}
		if zip := w.get(t, "/corp.example.com/old/@v/"+version.Version+".zip"); !zip.whole() {
			t.Fatalf("%s: %v", version.Version, zip)
		}
		took[which] = watch.took()
	}
	t.Logf("a commit of a repository with %d MiB of history: %v, the next one: %v (%.2f)", commits*size>>20, took["main~1"], took["main"], float64(took["main"])/float64(took["main~1"]))
	if took["main"] > took["main~1"] {
		t.Error("the second one took longer")
	}
}
