package certificate_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goweir/weir/internal/certificate"
)

const (
	host = "proxy.example.com"
	day  = 24 * time.Hour
)

func load(t *testing.T, p certificate.Paths) *certificate.Files {
	t.Helper()
	f, err := certificate.LoadFiles(p)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// inUse is the serial number of the certificate that a client gets.
func inUse(t *testing.T, f *certificate.Files) *big.Int {
	t.Helper()
	c, err := f.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber
}

// one is a folder with a good pair, and the Files of it.
func one(t *testing.T, a *authority) (*folder, *certificate.Files) {
	t.Helper()
	dir := newFolder(t)
	dir.issue(a, "a", host, -time.Hour, 90*day)
	return dir, load(t, certificate.Paths{Pairs: []certificate.Pair{dir.pair("a")}})
}

func TestF25ABadPairIsRefusedAndTheOldOneKept(t *testing.T) {
	a := newAuthority(t, "authority")
	good := func() (c, k []byte) { return a.pair(host, -time.Hour, 90*day) }
	for name, test := range map[string]struct {
		spoil func(c, k []byte) (spoilt, key []byte)
		want  string
	}{
		"key of another": {func(c, _ []byte) ([]byte, []byte) { _, other := good(); return c, other }, "does not match"},
		"exchanged":      {func(c, k []byte) ([]byte, []byte) { return k, c }, "put both files of one pair there"},
		"expired": {func(_, _ []byte) ([]byte, []byte) { return a.pair(host, -2*time.Hour, -time.Hour) },
			"has expired on " + time.Now().UTC().Add(-time.Hour).Format("2006-01-02")},
		"not valid yet":   {func(_, _ []byte) ([]byte, []byte) { return a.pair(host, time.Hour, 2*time.Hour) }, "is not valid before"},
		"cut off key":     {func(c, k []byte) ([]byte, []byte) { return c, k[:len(k)/2] }, "0 of 1 blocks of PEM are whole"},
		"cut off chain":   {func(c, k []byte) ([]byte, []byte) { return c[:len(c)-50], k }, "1 of 2 blocks of PEM are whole"},
		"damaged chain":   {func(c, k []byte) ([]byte, []byte) { c[len(c)/4] = '*'; return c, k }, "1 of 2 blocks of PEM are whole"},
		"empty":           {func(_, k []byte) ([]byte, []byte) { return nil, k }, "0 of 0 blocks"},
		"not even PEM":    {func(_, k []byte) ([]byte, []byte) { return []byte("<html>"), k }, "0 of 0 blocks"},
		"without end":     {func(c, _ []byte) ([]byte, []byte) { return c, make([]byte, 9<<20) }, "too large"},
		"missing":         {nil, "no such file"},
		"folder for file": {nil, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, f := one(t, a)
			before, key := inUse(t, f), dir.path("a.key")
			switch {
			case test.spoil != nil:
				c, k := test.spoil(good())
				dir.put("a", c, k)
			default:
				if err := os.Remove(key); err != nil {
					t.Fatal(err)
				}
				if name == "folder for file" {
					if err := os.Mkdir(key, 0o700); err != nil {
						t.Fatal(err)
					}
				}
			}
			err := f.Reload()
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "the old one stays in use") ||
				!strings.Contains(err.Error(), dir.dir) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Reload = %v; want one line with %q", err, test.want)
			}
			if inUse(t, f).Cmp(before) != 0 {
				t.Error("the old pair is not in use any more")
			}
			if err := os.RemoveAll(key); err != nil {
				t.Fatal(err)
			}
			dir.issue(a, "a", host, -time.Hour, 90*day)
			if err := f.Reload(); err != nil {
				t.Errorf("Reload of a good pair = %v", err)
			}
			if inUse(t, f).Cmp(before) == 0 {
				t.Error("the good pair is not in use")
			}
		})
	}
}

func TestAFileThatIsMissingOrDamagedAtTheStartIsRefused(t *testing.T) {
	a := newAuthority(t, "authority")
	dir, _ := one(t, a)
	other, _ := one(t, a)
	dir.write("empty", nil)
	for name, p := range map[string]certificate.Paths{
		"missing":        {Pairs: []certificate.Pair{dir.pair("b")}},
		"key of another": {Pairs: []certificate.Pair{dir.pair("a"), {Certificate: dir.path("a.crt"), Key: other.path("a.key")}}},
		"no authority":   {ClientCAs: dir.path("a.key")},
		"no authorities": {ClientCAs: dir.path("empty")},
	} {
		if _, err := certificate.LoadFiles(p); err == nil || !strings.Contains(err.Error(), dir.dir) {
			t.Errorf("%s: LoadFiles = %v", name, err)
		}
	}
}

func TestWarningsSayWhatIsNotValidOrSoonWillNotBe(t *testing.T) {
	a := newAuthority(t, "authority")
	for _, c := range []struct {
		from, to time.Duration
		want     string
	}{
		{-time.Hour, 90 * day, ""},
		{-80 * day, 15 * day, ""},
		{-80 * day, 13 * day, "expires on"},
		{-3 * day, 3 * day, ""}, // made for six days
		{-5 * day, day, "expires on"},
		{-2 * day, -day, "has expired"},
		{day, 90 * day, "is not valid before"},
	} {
		dir := newFolder(t)
		dir.issue(a, "a", host, c.from, c.to)
		f := load(t, certificate.Paths{Pairs: []certificate.Pair{dir.pair("a")}})
		got := strings.Join(f.Warnings(), "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("valid from %v to %v: warnings %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

func TestNotAfterIsThatOfTheFirstToExpire(t *testing.T) {
	a := newAuthority(t, "authority")
	dir := newFolder(t)
	var pairs []certificate.Pair
	for name, to := range map[string]time.Duration{"a": 3 * day, "b": 2 * day, "c": 4 * day} {
		dir.issue(a, name, host, -time.Hour, to)
		pairs = append(pairs, dir.pair(name))
	}
	f := load(t, certificate.Paths{Pairs: pairs})
	if got := time.Until(f.NotAfter()).Round(time.Hour); got != 2*day {
		t.Errorf("NotAfter is in %v", got)
	}
	if none := load(t, certificate.Paths{}); !none.NotAfter().IsZero() {
		t.Error("NotAfter without a certificate")
	}
}

func TestABadPairDoesNotKeepOthersFromBeingRenewed(t *testing.T) {
	a := newAuthority(t, "authority")
	dir := newFolder(t)
	dir.issue(a, "bad", "bad.example.com", -time.Hour, 90*day)
	dir.issue(a, "good", host, -time.Hour, day)
	f := load(t, certificate.Paths{Pairs: []certificate.Pair{dir.pair("good"), dir.pair("bad")}})
	before := inUse(t, f)
	dir.write("bad.key", []byte("x"))
	dir.issue(a, "good", host, -time.Hour, 90*day)
	if err := f.Reload(); err == nil || !strings.Contains(err.Error(), "bad.key") || strings.Contains(err.Error(), "good") {
		t.Errorf("Reload = %v", err)
	}
	if inUse(t, f).Cmp(before) == 0 {
		t.Error("the good pair has not been renewed")
	}
}

// notes are what somebody was told.
type notes struct {
	mu   sync.Mutex
	told []string
}

func (n *notes) tell(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, fmt.Sprint(err))
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.told)
}

// watch watches files, in a bubble, where it looks at them at known moments.
func watch(t *testing.T, f *certificate.Files) *notes {
	t.Helper()
	var n notes
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() { f.Watch(ctx, time.Second, n.tell) })
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
	time.Sleep(time.Second / 2) // between two looks
	return &n
}

// look returns after the watch has looked n times.
func look(n int) {
	time.Sleep(time.Duration(n) * time.Second)
	synctest.Wait()
}

func TestF25AHalfWrittenPairIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "authority")
		dir, f := one(t, a)
		n := watch(t, f)
		look(3)
		before := inUse(t, f)
		c, k := a.pair(host, -time.Hour, 90*day)
		for _, n := range []int{len(c) / 4, len(c) / 2, len(c)} {
			dir.write("a.crt", c[:n])
			look(1)
		}
		dir.write("a.key", k)
		look(1)
		if len(n.all()) != 0 || inUse(t, f).Cmp(before) != 0 {
			t.Errorf("while the files are written: told %q", n.all())
		}
		look(1)
		if !slices.Equal(n.all(), []string{"<nil>"}) || inUse(t, f).Cmp(before) == 0 {
			t.Errorf("after the files were written: told %q", n.all())
		}
		look(100)
		if len(n.all()) != 1 {
			t.Errorf("told %q", n.all())
		}
	})
}

func TestF25AWatchTellsOfABadPairOnceAndTakesTheNextGoodOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "authority")
		dir, f := one(t, a)
		n := watch(t, f)
		_, other := a.pair(host, -time.Hour, 90*day)
		dir.write("a.key", other)
		look(100)
		if len(n.all()) != 1 || !strings.Contains(n.all()[0], "does not match") {
			t.Errorf("told of the wrong key: %q", n.all())
		}
		for range 2 {
			before := inUse(t, f)
			dir.issue(a, "a", host, -time.Hour, 90*day)
			look(2)
			if inUse(t, f).Cmp(before) == 0 {
				t.Error("a good pair is not taken")
			}
		}
		if !slices.Equal(n.all()[1:], []string{"<nil>", "<nil>"}) {
			t.Errorf("told %q", n.all())
		}
	})
}

func TestF25ACertificateThatIsNotValidYetIsTakenWhenItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "authority")
		dir, f := one(t, a)
		n := watch(t, f)
		before := inUse(t, f)
		dir.issue(a, "a", host, time.Hour, 90*day)
		look(3590)
		if len(n.all()) != 1 || inUse(t, f).Cmp(before) != 0 {
			t.Errorf("before the time: told %q", n.all())
		}
		look(20)
		if len(n.all()) != 2 || n.all()[1] != "<nil>" || inUse(t, f).Cmp(before) == 0 {
			t.Errorf("when it is time: told %q", n.all())
		}
	})
}

// serve serves the configuration over TLS as a server would.
func serve(t *testing.T, o certificate.Options) net.Addr {
	t.Helper()
	config, err := certificate.Config(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		TLSConfig: config,
		ErrorLog:  log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Proto)
		}),
	}
	served := make(chan error, 1)
	go func() { served <- s.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return l.Addr()
}

// Many clients, on connections that are kept and on new ones, notice nothing of
// fifty changes of the certificate, among which are bad ones.
func TestF25RotationUnderLoadDropsNothing(t *testing.T) {
	const swaps, clients = 50, 8
	a := newAuthority(t, "authority")
	dir, f := one(t, a)
	addr := serve(t, certificate.Options{Files: f}).String()

	taken, refused := make(chan struct{}), make(chan struct{})
	var all, watch sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	watch.Go(func() {
		f.Watch(ctx, time.Millisecond, func(err error) {
			if err == nil {
				taken <- struct{}{}
			} else {
				refused <- struct{}{}
			}
		})
	})

	var stop atomic.Bool
	var requests atomic.Int64
	progress, ended := make(chan struct{}, 1), make(chan struct{})
	var serials sync.Map
	for i := range clients {
		transport := &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: a.pool(), ServerName: host},
			DisableKeepAlives: i%2 == 0,
			ForceAttemptHTTP2: i%4 < 2,
		}
		all.Go(func() {
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: time.Minute}
			for !stop.Load() {
				r, err := client.Get("https://" + addr)
				if err != nil {
					t.Errorf("a request fails: %v", err)
					return
				}
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
				serials.Store(r.TLS.PeerCertificates[0].SerialNumber.String(), true)
				requests.Add(1)
				select {
				case progress <- struct{}{}:
				default:
				}
			}
		})
	}
	go func() {
		all.Wait()
		close(ended)
	}()
	for i := range swaps {
		served := requests.Load()
		if i%10 == 9 {
			dir.write("a.key", []byte("torn"))
			<-refused
		}
		dir.issue(a, "a", host, -time.Hour, 90*day)
		// The two files are put there one after the other, between which the
		// watch may look twice.
		for done := false; !done; {
			select {
			case <-taken:
				done = true
			case <-refused:
			}
		}
		for requests.Load() < served+clients {
			select {
			case <-progress:
			case <-ended:
				t.Fatal("no client is left")
			}
		}
	}
	stop.Store(true)
	<-ended
	cancel()
	watch.Wait()
	seen := 0
	serials.Range(func(any, any) bool { seen++; return true })
	if seen < swaps/2 {
		t.Errorf("clients saw %d certificates of %d", seen, swaps)
	}
	t.Logf("%d requests, %d certificates", requests.Load(), seen)
}
