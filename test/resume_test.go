package e2e

import (
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// big is a module with a large zip, made once for all tests.
var big = sync.OnceValue(func() modtest.Module { return modtest.BigModule("example.com/big", "v1.0.0", bigSize) })

// F14: the upstream of a large zip is killed when a client has got a part of it,
// again and again. The client asks once and gets all, whether the upstream comes
// back or another one is there, and all of it is right and stored.
func TestF14AnUpstreamKilledInTheMiddleOfALargeZipIsNotNoticed(t *testing.T) {
	t.Parallel()
	const path = "/example.com/big/@v/v1.0.0.zip"
	var all sync.WaitGroup
	defer all.Wait()
	for _, c := range []struct {
		name   string
		second bool
		kills  []int // after so many sevenths of it
		away   time.Duration
	}{
		{"it is back at once", false, []int{2, 5}, 0},
		{"it is back after a while", false, []int{3}, 2 * time.Second},
		{"another one is there", true, []int{3}, time.Hour},
		{"another one is there, and it is back", true, []int{1, 5}, 0},
	} {
		all.Go(func() {
			t.Run(c.name, func(t *testing.T) {
				p, spare := modtest.New(big()), modtest.New(big())
				db := modtest.NewSumDB("sum.example.org", p)
				db.MirrorAt(spare)
				machine, err := modtest.NewMachine(t, p)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(p.Heal)
				upstreams := machine.URL
				if c.second {
					upstreams += "|" + spare.Start(t)
				}
				w := startWeir(t, "WEIR_UPSTREAM="+upstreams, "WEIR_SUMDB="+db.Key(), "WEIR_STORE_MEMORY=0")
				p.Break(".zip", modtest.Slow(bigSize)) // so that it is under way for a while
				sum, err := readAll(w.request(t, path), func(read int) {
					if len(c.kills) > 0 && read >= c.kills[0]*bigSize/7 {
						c.kills = c.kills[1:]
						machine.Kill()
						time.AfterFunc(c.away, func() {
							if err := machine.Start(); err != nil {
								t.Error(err)
							}
						})
					}
				})
				want := truthOf(t, big(), "/@v/v1.0.0.zip")
				if err != nil || sum != sha256.Sum256(want) {
					t.Fatalf("the client did not get the right zip: %v; %d kills were left", err, len(c.kills))
				}
				if len(c.kills) > 0 {
					t.Errorf("the zip was there before the upstream was killed")
				}
				if got := w.memory(t) >> 20; got > 48*memoryScale {
					t.Errorf("weir has %d MiB of memory, for a zip of %d MiB", got, bigSize>>20)
				}
				w.idle(t)
				machine.Kill()
				w.want(t, path, want)
				w.checkStore(t, spare)
			})
		})
	}
}

// readAll returns the SHA-256 of the body of one answer. It says how many bytes
// it has got as they come.
func readAll(req *http.Request, progress func(read int)) (sum [sha256.Size]byte, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return sum, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return sum, errors.New(resp.Status)
	}
	h := sha256.New()
	for read := 0; ; {
		n, err := io.CopyN(h, resp.Body, 1<<20)
		read += int(n)
		if err == io.EOF {
			return [sha256.Size]byte(h.Sum(nil)), nil
		}
		if err != nil {
			return sum, err
		}
		progress(read)
	}
}
