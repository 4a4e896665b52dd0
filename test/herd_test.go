package e2e

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// ask begins a request and returns when it has been sent; its answer comes
// through the channel.
func ask(ctx context.Context, req *http.Request) <-chan response {
	sent, answer := make(chan struct{}), make(chan response, 1)
	var once sync.Once // a request is sent anew over another connection if one went
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { once.Do(func() { close(sent) }) }}
	go func() { answer <- do(req.WithContext(httptrace.WithClientTrace(ctx, trace))) }()
	select {
	case <-sent:
	case <-ctx.Done():
	}
	return answer
}

func TestAHerdOf200ColdClientsCausesOneUpstreamRequestPerArtifact(t *testing.T) {
	t.Parallel()
	const clients = 200
	m := modtest.BigModule("example.com/herd", "v1.0.0", 1<<20)
	p := modtest.New(m)
	db := modtest.NewSumDB("sum.example.org", p)
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_SUMDB="+db.Key(), streaming)
	paths := append(files(m.Path, m.Version), "/example.com/herd/@v/list", "/example.com/herd/@latest")
	p.Break("", modtest.Hang) // until all are there
	var answers []<-chan response
	var asked []string
	for range clients {
		for _, path := range paths {
			answers = append(answers, ask(t.Context(), w.request(t, path)))
			asked = append(asked, path)
		}
		if len(answers) == 500 {
			p.Heal() // the rest of the herd meets fetches under way, or done
		}
	}
	wants := map[string][]byte{}
	for _, path := range paths {
		rest := strings.TrimPrefix(path, "/example.com/herd")
		wants[path] = truthOf(t, m, rest)
	}
	for i, answer := range answers {
		if r := <-answer; !r.whole() || !bytes.Equal(r.body, wants[asked[i]]) {
			t.Fatalf("client %d: GET %s: %v", i, asked[i], r)
		}
	}
	for path, n := range p.Requests() {
		if n != 1 && !strings.HasSuffix(path, "/supported") {
			t.Errorf("the upstream was asked %d times for %s", n, path)
		}
	}
	for _, path := range append(paths, "/sumdb/sum.example.org/lookup/example.com/herd@v1.0.0") {
		if p.Count(path) == 0 {
			t.Errorf("the upstream was never asked for %s", path)
		}
	}
}

// truthOf is what an upstream of this module alone would answer, so that asking
// is not counted.
func truthOf(t *testing.T, m modtest.Module, rest string) []byte {
	t.Helper()
	return truth(t, modtest.New(m), "/"+m.Path+rest)
}

// A fetch belongs to the cache. The client that began it leaves, others go on.
func TestTheLeaderOfASharedFlightLeavesAndTheOthersGetAll(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]modtest.Fault{"before the answer": modtest.Hang, "within the body": modtest.HangBody} {
		t.Run(name, func(t *testing.T) {
			m := modtest.BigModule("example.com/flight", "v1.0.0", 1<<20)
			p := modtest.New(m)
			w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), streaming)
			const path = "/example.com/flight/@v/v1.0.0.zip"
			p.Break("", fault)
			leaving, leave := context.WithCancel(t.Context())
			leader := ask(leaving, w.request(t, path))
			if err := p.Await(t.Context(), path, 1); err != nil {
				t.Fatal(err)
			}
			var followers []<-chan response
			for range 5 {
				followers = append(followers, ask(t.Context(), w.request(t, path)))
			}
			leave()
			if r := <-leader; r.err == nil {
				t.Errorf("the leader got %v", r)
			}
			p.Heal()
			want := truthOf(t, m, "/@v/v1.0.0.zip")
			for _, f := range followers {
				if r := <-f; !r.whole() || !bytes.Equal(r.body, want) {
					t.Errorf("a follower got %v", r)
				}
			}
			if n := p.Count(path); n != 1 {
				t.Errorf("the upstream was asked %d times", n)
			}
		})
	}
}

// If all clients leave, the fetch is finished for the store all the same.
func TestAFetchThatNobodyWaitsForIsFinishedForTheStore(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/left", "v1.0.0"))
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t))
	const path = "/example.com/left/@v/v1.0.0.zip"
	p.Break("", modtest.Hang)
	leaving, leave := context.WithCancel(t.Context())
	answer := ask(leaving, w.request(t, path))
	if err := p.Await(t.Context(), path, 1); err != nil {
		t.Fatal(err)
	}
	leave()
	<-answer
	p.Heal()
	eventually(t, 10*time.Second, "the zip is stored", func() bool {
		return slices.Contains(w.stored(t), path)
	})
	p.SetDown(true)
	w.want(t, path, truthOf(t, simple("example.com/left", "v1.0.0"), "/@v/v1.0.0.zip"))
}
