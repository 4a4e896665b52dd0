package survey

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source"
)

func zipHash(t *testing.T, data []byte) string {
	t.Helper()
	if h, ok := zipHashes.Load(string(data)); ok {
		return h.(string)
	}
	name := filepath.Join(t.TempDir(), "zip")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := dirhash.HashZip(name, dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	zipHashes.Store(string(data), h)
	return h
}

// zipHashes spares making the same hash many times.
var zipHashes sync.Map

// Latency, loss and lies are planted; the order must be the same each time, whatever
// order the mirrors were named in.
func TestMirrorsAreRankedRightEachTime(t *testing.T) {
	for run := range 20 {
		synctest.Test(t, func(t *testing.T) {
			liar := modtest.New(threeModules...)
			liar.Add(another(threeModules[1]))
			hosts := map[string]http.Handler{
				"fast":   late(20*time.Millisecond, modtest.New(threeModules...)),
				"middle": late(45*time.Millisecond, modtest.New(threeModules...)),
				"slow":   late(200*time.Millisecond, modtest.New(threeModules...)),
				"lossy":  late(5*time.Millisecond, lossy(5, modtest.New(threeModules...))),
				"lacks":  late(time.Millisecond, modtest.New()),
				"liar":   late(time.Millisecond, liar),
			}
			r := measure(t, hosts, func(o *Options) {
				rand.Shuffle(len(o.Mirrors), func(i, j int) { o.Mirrors[i], o.Mirrors[j] = o.Mirrors[j], o.Mirrors[i] })
				o.Current = []source.Entry{{URL: "http://old"}, {Direct: true}}
				o.Time = 6 * time.Second // a few rounds
			})
			want := []string{"fast", "middle", "slow", "lossy", "lacks", "liar"}
			if got := names(r); !slices.Equal(got, want) {
				t.Errorf("run %d: the order is %v, not %v", run, got, want)
			}
			if goproxy, reason := r.Recommend(); goproxy != "http://fast|http://middle,direct" {
				t.Errorf("run %d: %s is recommended: %s", run, goproxy, reason)
			}
		})
	}
}

func TestThroughputCountsForAModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := modtest.BigModule("example.com/big", "v1.0.0", 1<<20)
		big.Time = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		thin := modtest.New(big)
		thin.Break(".zip", modtest.Slow(100_000))
		hosts := map[string]http.Handler{"thin": thin, "wide": late(50*time.Millisecond, modtest.New(big))}
		r := measure(t, hosts, func(o *Options) { o.Modules = records(t, big) })
		if got := names(r); !slices.Equal(got, []string{"wide", "thin"}) {
			t.Errorf("the order is %v", got)
		}
		if thin := r.Mirrors[1].Throughput; thin < 50_000 || thin > 110_000 {
			t.Errorf("100 kB/s were measured as %.0f", thin)
		}
	})
}

// A zip that only some mirrors were asked for, since the time was over or one of them does
// not have it, says nothing about who is faster.
func TestOnlyZipsThatAllSentAreCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := modtest.BigModule("example.com/big", "v1.0.0", 1<<20)
		big.Time = threeModules[0].Time
		all := append([]modtest.Module{big}, threeModules...)
		fast := modtest.New(all...)
		fast.Break("big/@v/v1.0.0.zip", modtest.Slow(1<<20)) // a second, which the other one is spared
		slow := modtest.New(all...)
		slow.Break("big/@v/v1.0.0.zip", modtest.First(1000, modtest.Status(503, 0)))
		hosts := map[string]http.Handler{"fast": late(10*time.Millisecond, fast), "slow": late(50*time.Millisecond, slow), "lacks": late(30*time.Millisecond, modtest.New(threeModules...))}
		r := measure(t, hosts, func(o *Options) { o.Modules = records(t, all...) })
		cost := map[string]mirrors.Millis{}
		for _, m := range r.Mirrors {
			cost[m.Name] = m.PerModule
		}
		want := map[string]mirrors.Millis{"http://fast": mirrors.Millis(30 * time.Millisecond), "http://slow": mirrors.Millis(150 * time.Millisecond), "http://lacks": mirrors.Millis(90 * time.Millisecond)}
		if !maps.Equal(cost, want) {
			t.Errorf("a module takes %v, not %v", cost, want)
		}
	})
}

// A time in which everything is slow does not change who is better.
func TestASlowMinuteHitsAllAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		stormy := func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if since := time.Since(began); since > time.Second && since < 20*time.Second {
					time.Sleep(400 * time.Millisecond)
				}
				h.ServeHTTP(w, r)
			})
		}
		hosts := map[string]http.Handler{}
		for i := range 4 {
			hosts[fmt.Sprint("host", i)] = stormy(late(time.Duration(10*(4-i))*time.Millisecond, modtest.New(threeModules...)))
		}
		r := measure(t, hosts, nil)
		if got := names(r); !slices.Equal(got, []string{"host3", "host2", "host1", "host0"}) {
			t.Errorf("the order is %v", got)
		}
		for _, m := range r.Mirrors {
			if len(m.Info) != len(r.Mirrors[0].Info) || len(m.Zip) != len(r.Mirrors[0].Zip) {
				t.Errorf("%s has other numbers of samples", m.Name)
			}
		}
	})
}

func TestALyingMirrorIsFoundAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		liar := modtest.New(another(threeModules[0]), threeModules[1], threeModules[2])
		m := only(t, measure(t, map[string]http.Handler{"liar": liar}, nil))
		if m.State != mirrors.Lies || len(m.Wrong) != 1 || m.Wrong[0].File != "example.com/a@v1.0.0.zip" || !strings.HasPrefix(m.Wrong[0].Got, "h1:") || m.Wrong[0].Got == m.Wrong[0].Want {
			t.Errorf("the result is %s %+v", m.State, m.Wrong)
		}
		if n := liar.Count("/example.com/b/@v/list"); n != 0 {
			t.Errorf("after the lie it was asked %d times for another module", n)
		}
	})
}

func TestALieInAGoModIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changed := threeModules[0]
		changed.Mod += "\nrequire example.com/evil v1.0.0\n"
		m := only(t, measure(t, map[string]http.Handler{"liar": modtest.New(changed)}, nil))
		if m.State != mirrors.Lies || m.Wrong[0].File != "example.com/a@v1.0.0.mod" {
			t.Errorf("the result is %s %+v", m.State, m.Wrong)
		}
	})
}

// What a mirror may do wrong is a row, and it is not asked for much more.
func TestAMirrorThatFailsIsARow(t *testing.T) {
	for _, c := range []struct {
		what        string
		suffix      string
		fault       modtest.Fault
		state       mirrors.State
		problem     string
		maxRequests int
	}{
		{"login page", "", modtest.HTML, mirrors.Fails, "a web page came in its place", 7},
		{"login page for zips", ".zip", modtest.HTML, mirrors.Works, "a web page came in its place", 1000},
		{"forbidden", "", modtest.Status(403, 0), mirrors.Refuses, "answered 403 Forbidden", 3},
		{"unauthorized", "", modtest.Status(401, 0), mirrors.Refuses, "answered 401 Unauthorized", 3},
		{"too many", "", modtest.Status(429, time.Minute), mirrors.Limits, "answered 429 Too Many Requests", 1},
		{"too many, after a while", "c/@v/list", modtest.Status(429, 0), mirrors.Limits, "example.com/c (list): answered 429", 20},
		{"hang", "", modtest.Hang, mirrors.Hangs, "sent nothing for 10s", 1},
		{"hang in a body", ".zip", modtest.HangBody, mirrors.Hangs, "sent nothing for 10s", 8},
		{"gone", "", modtest.Gone, mirrors.Fails, "EOF", 16}, // net/http tries again where that is safe
		{"reset", "", modtest.Reset, mirrors.Fails, "EOF", 16},
		{"reset in a body", ".zip", modtest.ResetAfter(50), mirrors.Works, "the answer broke off", 1000},
		{"broken", "", modtest.Status(500, 0), mirrors.Fails, "answered 500", 7},
		{"truncated zips", ".zip", modtest.TruncateChunked, mirrors.Works, "the answer broke off", 1000},
		{"short zips", ".zip", modtest.Short, mirrors.Lies, "since it is broken", 8},
		{"corrupt zips", ".zip", modtest.Corrupt, mirrors.Lies, "the checksum database says", 8},
		{"nonsense", ".info", modtest.Answer(200, "application/json", []byte("{}")), mirrors.Works, "", 1000},
		{"nothing", "", modtest.Answer(404, "text/plain", nil), mirrors.Lacks, "", 6},
		{"empty", "", modtest.Answer(200, "", nil), mirrors.Fails, "", 9},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := modtest.New(threeModules...)
				p.Break(c.suffix, c.fault)
				h := &counted{Handler: p}
				r := measure(t, map[string]http.Handler{"bad": h, "good": modtest.New(threeModules...)}, nil)
				p.Heal()
				bad := r.Mirrors[slices.Index(names(r), "bad")]
				if bad.State != c.state || !strings.Contains(bad.Problem, c.problem) {
					t.Errorf("it is said that it %s: %s", bad.State, bad.Problem)
				}
				if h.requests > c.maxRequests {
					t.Errorf("it was asked %d times, with %d at most allowed", h.requests, c.maxRequests)
				}
				if goproxy, _ := r.Recommend(); !strings.HasPrefix(goproxy, "http://good") {
					t.Errorf("%s is recommended", goproxy)
				}
				if _, err := json.Marshal(r); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestRedirectsInACircleAreFollowedTenTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &counted{Handler: http.RedirectHandler("/again", http.StatusFound)}
		m := only(t, measure(t, map[string]http.Handler{"circle": h}, nil))
		if m.State != mirrors.Fails || !strings.Contains(m.Problem, "redirected more than 10 times") || h.requests > 10*(maxInARow+1) {
			t.Errorf("it %s after %d requests: %s", m.State, h.requests, m.Problem)
		}
	})
}

func TestAMirrorThatIsNotThereIsARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := measure(t, map[string]http.Handler{"good": modtest.New(threeModules...)}, func(o *Options) { o.Mirrors = mirrorsAt("absent", "good") })
		if got := names(r); !slices.Equal(got, []string{"good", "absent"}) || r.Mirrors[1].State != mirrors.Fails || r.Mirrors[1].Problem == "" {
			t.Errorf("the order is %v: %+v", got, r.Mirrors[1])
		}
	})
}

// Whoever sends without end is cut off, in bytes and in time, and the others are measured
// all the same.
func TestNoMirrorSendsMoreThanItWasGranted(t *testing.T) {
	const budget = 300_000
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 10_000)
		for r.Context().Err() == nil {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	declared := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000000000")
		endless(w, r)
	})
	for what, h := range map[string]http.Handler{"endless": endless, "endless and declared": declared} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := &counted{Handler: h}
				r := measure(t, map[string]http.Handler{"bad": bad, "good": modtest.New(threeModules...)}, func(o *Options) { o.Bytes = budget })
				// Whoever sends finds out a little later: what is on the way is buffered.
				if bad.bytes > budget+100_000 || r.Mirrors[1].Bytes > budget {
					t.Errorf("%d bytes were sent and %d counted", bad.bytes, r.Mirrors[1].Bytes)
				}
				if got := names(r); got[0] != "good" || r.Mirrors[0].State != mirrors.Works || r.Mirrors[1].State == mirrors.Works {
					t.Errorf("the order is %v, with %s", got, r.Mirrors[1].State)
				}
			})
		})
	}
}

func TestTheByteBudgetOfAGoodMirrorIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := modtest.BigModule("example.com/big", "v1.0.0", 100_000)
		big.Time = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		m := only(t, measure(t, map[string]http.Handler{"good": modtest.New(big)}, func(o *Options) { o.Modules, o.Bytes = records(t, big), 350_000 }))
		if m.State != mirrors.Works || len(m.Zip) != 3 || m.Bytes > 350_000 || m.Failed > 0 {
			t.Errorf("%s: %d zips in %d bytes, %d failures", m.State, len(m.Zip), m.Bytes, m.Failed)
		}
	})
}

func TestTheTimeIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := measure(t, map[string]http.Handler{"slow": late(3*time.Second, modtest.New(threeModules...))}, func(o *Options) { o.Time = 10 * time.Second })
		if m := only(t, r); r.Took != mirrors.Millis(10*time.Second) || m.Succeeded != 2 || m.Failed != 0 || m.State != mirrors.Works {
			t.Errorf("in %v there were %d good and %d bad answers: %s", r.Took, m.Succeeded, m.Failed, m.State)
		}
	})
}

func TestATimeTooShortSaysNothingAboutAMirror(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := measure(t, map[string]http.Handler{"slow": late(3*time.Second, modtest.New(threeModules...))}, func(o *Options) { o.Time = time.Second })
		if m := only(t, r); m.State != mirrors.Untested || m.Failed != 0 {
			t.Errorf("%s, with %d failures", m.State, m.Failed)
		}
		if goproxy, reason := r.Recommend(); goproxy != "" || !strings.Contains(reason, "not reached in time") {
			t.Errorf("%q is recommended: %s", goproxy, reason)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]http.Handler{"slow": late(3*time.Second, modtest.New(threeModules...))})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := Run(ctx, Options{Mirrors: mirrorsAt("slow"), Modules: records(t, threeModules...), Transport: w.transport()})
		if err == nil {
			t.Error("there is a report")
		}
		w.close()
	})
}

func TestThereIsSomethingToRun(t *testing.T) {
	if _, err := Run(t.Context(), Options{Mirrors: mirrorsAt("a")}); err == nil {
		t.Error("without modules there is a report")
	}
	if _, err := Run(t.Context(), Options{Modules: records(t, threeModules...)}); err == nil {
		t.Error("without mirrors there is a report")
	}
}

func TestWhatIsMissingIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := map[string]http.Handler{
			"some": modtest.New(threeModules[0], threeModules[2]),
			"all":  late(20*time.Millisecond, modtest.New(threeModules...)),
		}
		r := measure(t, hosts, nil)
		some := r.Mirrors[1]
		if !slices.Equal(names(r), []string{"all", "some"}) || some.Failed != 0 || !slices.Equal(some.Missing, []string{"example.com/b"}) || some.State != mirrors.Works {
			t.Errorf("the order is %v: %+v", names(r), some)
		}
		if some.Absent > 2 {
			t.Errorf("it was asked %d times for what it does not have", some.Absent)
		}
	})
}

// Some mirrors do not answer @latest where there is a list, and the go command does not mind.
func TestNoLatestIsNoMissingModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := modtest.New(threeModules...)
		p.Break("@latest", modtest.Status(404, 0))
		m := only(t, measure(t, map[string]http.Handler{"a": p}, nil))
		if len(m.Missing) != 0 || m.Failed != 0 || len(m.Latest) != 0 || len(m.Zip) == 0 {
			t.Errorf("missing are %v, %d failures", m.Missing, m.Failed)
		}
	})
}

func TestMirrorsThatLagAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newer := module("example.com/a", "v1.2.0")
		current := append([]modtest.Module{newer}, threeModules...)
		noLatest := modtest.New(threeModules...)
		noLatest.Break("@latest", modtest.Status(404, 0))
		hosts := map[string]http.Handler{"current": modtest.New(current...), "old": modtest.New(threeModules...), "old-list": noLatest}
		r := measure(t, hosts, nil)
		for _, m := range r.Mirrors {
			want := []mirrors.Lag{{Module: "example.com/a", Has: "v1.0.0", Newest: "v1.2.0"}}
			if strings.HasSuffix(m.Name, "current") {
				want = nil
			}
			if m.Compared != 3 || !slices.Equal(m.Behind, want) {
				t.Errorf("%s: of %d it is behind with %v", m.Name, m.Compared, m.Behind)
			}
		}
	})
}

func TestSumDBSupportIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		with := modtest.New(threeModules...)
		modtest.NewSumDB("sum.example.com", with)
		hollow := modtest.New(threeModules...)
		hollow.Break("/supported", modtest.Answer(200, "", nil))
		hung := modtest.New(threeModules...)
		modtest.NewSumDB("sum.example.com", hung)
		hung.Break("/supported", modtest.Hang)
		r := measure(t, map[string]http.Handler{"with": with, "without": modtest.New(threeModules...), "hollow": hollow, "hung": hung}, nil)
		hung.Heal()
		want := map[string]mirrors.Answer{"http://with": mirrors.Yes, "http://without": mirrors.No, "http://hollow": mirrors.Unknown, "http://hung": mirrors.Unknown}
		for _, m := range r.Mirrors {
			if m.SumDB != want[m.Name] || m.State != mirrors.Works || m.Failed != 0 {
				t.Errorf("%s: %s, and it %s with %d failures", m.Name, m.SumDB, m.State, m.Failed)
			}
		}
	})
}

// Each round has one connection of its own, and all other requests use it again.
func TestConnectionsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]http.Handler{"a": modtest.New(threeModules...)})
		r, err := Run(t.Context(), Options{Mirrors: mirrorsAt("a"), Modules: records(t, threeModules...), Transport: w.transport()})
		if err != nil {
			t.Fatal(err)
		}
		m := only(t, r)
		if w.dials["a"] != maxRounds || len(m.Connect) != maxRounds || len(m.FirstByte) != maxRounds || len(m.Info) != maxRounds {
			t.Errorf("%d connections, %d samples of them, %d of .info", w.dials["a"], len(m.Connect), len(m.Info))
		}
		if m.Protocol != "HTTP/1.1" {
			t.Errorf("the protocol is %q", m.Protocol)
		}
		w.close()
	})
}

// Credentials go to their mirror alone, and into no report.
func TestCredentialsStayWithTheirMirror(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[string]string{}
		spy := func(host string, h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[host] = r.Header.Get("Authorization") + r.Header.Get("X-Key")
				mu.Unlock()
				h.ServeHTTP(w, r)
			})
		}
		elsewhere := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://storage"+r.URL.Path, http.StatusFound)
		})
		w := newWorld(t, map[string]http.Handler{
			"own": spy("own", elsewhere), "storage": spy("storage", modtest.New(threeModules...)), "other": spy("other", modtest.New(threeModules...)),
			"echo": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, password, _ := r.BasicAuth()
				w.Header().Set("Location", "http://["+password)
				w.WriteHeader(http.StatusFound)
			}),
		})
		all := mirrorsAt("own", "other", "user:s3cr3t@echo")
		all[0].Header = http.Header{"Authorization": {"Bearer s3cr3t"}, "X-Key": {"s3cr3t"}}
		r, err := Run(t.Context(), Options{Mirrors: all, Modules: records(t, threeModules...), Transport: w.transport()})
		w.close()
		if err != nil {
			t.Fatal(err)
		}
		if seen["own"] != "Bearer s3cr3ts3cr3t" || seen["storage"] != "" || seen["other"] != "" {
			t.Errorf("credentials were shown: %q", seen)
		}
		data, err := json.Marshal(r)
		if err != nil || strings.Contains(string(data), "s3cr3t") {
			t.Errorf("the report is %s, %v", data, err)
		}
		if _, reason := r.Recommend(); strings.Contains(reason, "s3cr3t") {
			t.Errorf("the reason is %s", reason)
		}
	})
}

func TestNobodyIsAskedTwoThingsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most int
		var gate = make(chan struct{}, 1)
		p := modtest.New(threeModules...)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			gate <- struct{}{}
			now++
			most = max(most, now)
			<-gate
			time.Sleep(5 * time.Millisecond)
			gate <- struct{}{}
			now--
			<-gate
			if got := r.Header.Get("User-Agent"); got != "weir-test" {
				t.Errorf("the user agent is %q", got)
			}
			p.ServeHTTP(w, r)
		})
		measure(t, map[string]http.Handler{"a": h}, func(o *Options) { o.UserAgent = "weir-test" })
		if most != 1 {
			t.Errorf("there were %d requests at once", most)
		}
	})
}

// A mirror with TLS and HTTP/2, on real sockets.
func TestTheProtocolAndTLSAreSeen(t *testing.T) {
	srv := httptest.NewUnstartedServer(modtest.New(threeModules...))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	transport := srv.Client().Transport.(*http.Transport)
	r, err := Run(t.Context(), Options{Mirrors: []Mirror{{Entry: source.Entry{URL: srv.URL}}}, Modules: records(t, threeModules...), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	m := only(t, r)
	if m.Protocol != "HTTP/2.0" || len(m.TLS) != maxRounds || len(m.Connect) != maxRounds || len(m.DNS) != 0 || m.State != mirrors.Works || m.Failed != 0 {
		t.Errorf("%s, %d handshakes, %d connections, %d lookups, %d failures: %s", m.Protocol, len(m.TLS), len(m.Connect), len(m.DNS), m.Failed, m.Problem)
	}
}

func TestProgressIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Progress
		measure(t, map[string]http.Handler{"a": modtest.New(threeModules...)}, func(o *Options) { o.Progress = func(p Progress) { told = append(told, p) } })
		if len(told) != 2*maxRounds || told[0] != (Progress{Round: 1, Rounds: maxRounds}) || told[1] != (Progress{Round: 1, Rounds: maxRounds, Mirror: "http://a"}) {
			t.Errorf("%d steps, the first %v", len(told), told[:2])
		}
	})
}
