package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// F1: a process is killed in the middle of a download, at another place each
// time: while the body arrives, when all of it is there, while it is checked
// and stored. After a new start the store is whole, and so is what it answers.
func TestF1KilledWhileStoring(t *testing.T) {
	t.Parallel()
	const rounds = crashes
	const size = 1 << 20
	p := modtest.New()
	for i := range rounds {
		if err := p.Add(modtest.BigModule(crashModule(i), "v1.0.0", size)); err != nil {
			t.Fatal(err)
		}
	}
	db := modtest.NewSumDB("sum.example.org", p)
	env := []string{"WEIR_UPSTREAM=" + p.Start(t), "WEIR_SUMDB=" + db.Key(), "WEIR_DATA=" + t.TempDir(), streaming}
	for i := range rounds {
		w := startWeir(t, env...)
		checkSwept(t, w)
		for j := range i {
			path := "/" + crashModule(j) + "/@v/v1.0.0.zip"
			w.want(t, path, truth(t, p, path))
		}
		// Most of the time between the last bytes and the end is that of the
		// check and the store, so most rounds are killed there.
		killDuring(t, w, "/"+crashModule(i)+"/@v/v1.0.0.zip", size*i/(rounds/2))
		w.checkStore(t, p)
	}
	w := startWeir(t, env...)
	checkSwept(t, w)
	for i := range rounds {
		for _, path := range files(crashModule(i), "v1.0.0") {
			w.want(t, path, truth(t, p, path))
		}
	}
	w.checkStore(t, p)
}

func crashModule(i int) string { return fmt.Sprintf("example.com/crash%d", i) }

// killDuring kills weir when a client has got so many bytes, or as many as come
// before the end.
func killDuring(t *testing.T, w *weir, path string, bytes int) {
	t.Helper()
	resp, err := client.Do(w.request(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, int64(bytes)); err != nil && err != io.EOF {
		t.Fatalf("GET %s: %v", path, err)
	}
	w.kill()
}

// checkSwept checks that no temporary file is left from before the start.
func checkSwept(t *testing.T, w *weir) {
	t.Helper()
	eventually(t, 5*time.Second, "the temporary files are swept", func() bool {
		left, err := os.ReadDir(filepath.Join(w.data, "modules", ".weir", "tmp"))
		return err == nil && len(left) == 0
	})
}
