package mirrors

import (
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/source"
)

// result is a mirror that works, where a module takes so long.
func result(url string, took time.Duration) Result {
	return Result{
		Name: source.Entry{URL: url}.Redacted(), State: Works, Succeeded: 100, Proven: 10, Modules: 10, PerModule: Millis(took),
		Zip: Latency{took}, Entry: source.Entry{URL: url},
	}
}

func with(r Result, change func(*Result)) Result {
	change(&r)
	return r
}

func current(t *testing.T, goproxy string) []source.Entry {
	t.Helper()
	list, err := source.ParseList(goproxy)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRecommendedIsWhatIsCorrectReliableAndFast(t *testing.T) {
	const a, b, c = "https://a.example.com", "https://b.example.com", "https://c.example.com"
	listed := func(r *Result) { r.Listed = true }
	state := func(s State) func(*Result) { return func(r *Result) { r.State = s } }
	failing := func(n int) func(*Result) { return func(r *Result) { r.Failed = n } }
	for _, test := range []struct {
		what    string
		current string
		mirrors []Result
		want    string
		reason  string
	}{
		{"the fastest, and the next one", "direct", []Result{result(c, 300), result(a, 100), result(b, 200)}, a + "|" + b + ",direct", "version control is asked only"},
		{"one", b + ",direct", []Result{result(b, 200)}, b + ",direct", "works"},
		{"off stays", b + ",off", []Result{result(a, 200)}, a + ",off", `",off" stays`},
		{"the sign before direct stays", b + "|direct", []Result{result(a, 200)}, a + "|direct", `"|direct" stays`},
		{"no end stays no end", b, []Result{result(a, 200)}, a, ""},
		{"a liar is never named", "direct", []Result{with(result(a, 1), state(Lies)), result(b, 200)}, b + ",direct", a + " served wrong bytes: do not use it"},
		{"only a liar", "direct", []Result{with(result(a, 1), state(Lies))}, "", "serves wrong bytes"},
		{"nobody answers", "direct", []Result{with(result(a, 1), state(Fails)), with(result(b, 1), state(Hangs))}, "", "https://b.example.com hangs; https://a.example.com fails."},
		{"reliable before fast", "direct", []Result{with(result(a, 1), failing(30)), result(b, 200)}, b + ",direct", ""},
		{"unreliable, if there is nothing else", "direct", []Result{with(result(a, 1), failing(30))}, a + ",direct", "100 of 130 answers are good"},
		{"not useless", "direct", []Result{with(result(a, 1), failing(300))}, "", "fails too often"},
		{"complete before fast", "direct", []Result{with(result(a, 1), func(r *Result) { r.Missing = []string{"x", "y"} }), result(b, 200)}, b + "|" + a + ",direct", ""},
		{"no change for nothing", a + "," + b + ",direct", []Result{with(result(a, 104), listed), with(result(b, 100), listed)}, a + "|" + b + ",direct", "hardly faster"},
		{"a change for something", a + "," + b + ",direct", []Result{with(result(a, 130), listed), with(result(b, 100), listed)}, b + "|" + a + ",direct", ""},
		{"what GOPROXY names first stays, whatever was measured first", a + "," + b + ",direct", []Result{with(result(b, 104), listed), with(result(a, 104), listed), result(c, 100)}, a + "|" + c + ",direct", "hardly faster"},
		{"with or without a slash at the end", a + "/," + b + ",direct", []Result{with(result(b, 100), listed), with(result(a, 104), listed)}, a + "|" + b + ",direct", "hardly faster"},
		{"a folder stays first", "file:///mods," + a + ",direct", []Result{result(a, 1)}, "file:///mods," + a + ",direct", "stays at the beginning"},
		{"a proxy of private modules stays first", c + "," + a + ",direct", []Result{with(result(c, 0), state(Lacks)), result(b, 1)}, c + "," + b + ",direct", "not measured and is left out"},
		{"credentials of the URL stay in the value", "https://u:s3cr3t@a.example.com,direct", []Result{result("https://u:s3cr3t@a.example.com", 1)}, "https://u:s3cr3t@a.example.com,direct", "https://xxxxx@a.example.com"},
	} {
		t.Run(test.what, func(t *testing.T) {
			r := Report{Mirrors: test.mirrors, Current: current(t, test.current)}
			Rank(r.Mirrors)
			goproxy, reason := r.Recommend()
			if goproxy != test.want || !strings.Contains(reason, test.reason) || strings.Contains(reason, "s3cr3t") {
				t.Errorf("recommended is %q, not %q: %s", goproxy, test.want, reason)
			}
			if goproxy == "" {
				return
			}
			if _, err := source.ParseList(goproxy); err != nil {
				t.Errorf("%q is no GOPROXY: %v", goproxy, err)
			}
			if shown := source.RedactList(goproxy); strings.Contains(shown, "s3cr3t") || strings.Count(shown, ",")+strings.Count(shown, "|") != strings.Count(goproxy, ",")+strings.Count(goproxy, "|") {
				t.Errorf("it is shown as %q", shown)
			}
		})
	}
}

// Where private modules come through the proxies that GOPROXY names, a faster mirror would
// hear of them.
func TestNoMirrorIsRecommendedThatWouldHearOfPrivateModules(t *testing.T) {
	corp := with(result("https://corp.example.com", 500), func(r *Result) { r.Listed = true })
	r := Report{Mirrors: []Result{result("https://fast.example.com", 1), corp}, Current: current(t, "https://corp.example.com,direct"), Private: []string{"corp.example.com/*"}}
	goproxy, reason := r.Recommend()
	if goproxy != "https://corp.example.com,direct" || !strings.Contains(reason, "Private modules (corp.example.com/*)") || strings.Contains(reason, "hardly faster") {
		t.Errorf("recommended is %q: %s", goproxy, reason)
	}
	r.Mirrors = r.Mirrors[:1]
	if goproxy, reason := r.Recommend(); goproxy != "" || !strings.Contains(reason, "Private modules (corp.example.com/*)") {
		t.Errorf("recommended is %q: %s", goproxy, reason)
	}
}

func TestPercentilesAreToldAsFarAsTheSampleAllows(t *testing.T) {
	sample := func(n int) Latency {
		var l Latency
		for i := range n {
			l = append(l, time.Duration(n-i)*time.Millisecond)
		}
		return l
	}
	for _, c := range []struct {
		n    int
		want string
	}{{0, "-"}, {1, "1.0 ms"}, {9, "5.0 ms"}, {10, "5.0/9.0 ms"}, {99, "50/90 ms"}, {100, "50/90/99 ms"}, {200, "100/180/198 ms"}} {
		if got := FormatPercentiles(sample(c.n)); got != c.want {
			t.Errorf("of 1 to %d ms: %s, not %s", c.n, got, c.want)
		}
	}
	if _, ok := sample(100).Percentile(75); ok {
		t.Error("there is a 75th percentile")
	}
}

func TestNumbersAreShownForPeople(t *testing.T) {
	for got, want := range map[string]string{
		FormatDuration(1234 * time.Microsecond): "1.2 ms", FormatDuration(45 * time.Millisecond): "45 ms", FormatDuration(2500 * time.Millisecond): "2.5 s",
		FormatRate(0): "-", FormatRate(999): "999 B/s", FormatRate(45_000): "45 kB/s", FormatRate(3.21e6): "3.2 MB/s", FormatRate(123e6): "123 MB/s",
		FormatShare(0.999, true): "99 %", FormatShare(1, true): "100 %", FormatShare(0, false): "-",
		FormatProtocol("HTTP/2.0"): "2", FormatProtocol("HTTP/1.1"): "1.1", FormatProtocol(""): "-",
		FormatMillis(nil): "-", FormatMillis(Latency{20 * time.Millisecond}): "20",
	} {
		if got != want {
			t.Errorf("%q is shown instead of %q", got, want)
		}
	}
}
