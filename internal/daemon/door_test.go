package daemon_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/auth/accounts"
	"github.com/goweir/weir/internal/modtest"
)

// ask sends a request with headers and returns the answer and its body.
func (r *running) ask(client *http.Client, url string, headers ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(body)
}

func (r *running) token(spec accounts.TokenSpec) string {
	r.t.Helper()
	token, err := accounts.CreateToken(filepath.Join(r.data, "tokens.json"), spec)
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

func TestWhoShowsNoCredentialsIsToldWhatToDo(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "auth: {anonymous: false}\n"))
	token := r.token(accounts.TokenSpec{User: "alice"})
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	const path = "/example.com/a/@v/v1.0.0.mod"
	basic, bearer := &http.Request{Header: http.Header{}}, "Bearer "+token
	basic.SetBasicAuth("whoever", token)
	for _, test := range []struct {
		path, header string
		status       int
		text         string
	}{
		{path, "", 401, "weir login"},
		{path, bearer, 200, "module example.com/a\n"},
		{path, basic.Header.Get("Authorization"), 200, "module example.com/a\n"},
		{path, bearer + "0", 401, "wrong"},
		{"/livez", "", 200, ""},
		{"/readyz", "", 200, ""},
		{"/-/whoami", bearer, 200, `"name":"alice"`},
	} {
		var headers []string
		if test.header != "" {
			headers = []string{"Authorization", test.header}
		}
		resp, body := r.ask(http.DefaultClient, r.url+test.path, headers...)
		if resp.StatusCode != test.status || !strings.Contains(body, test.text) {
			t.Errorf("%s with %q: %d %q", test.path, test.header, resp.StatusCode, body)
		}
		if challenge := resp.Header.Values("Www-Authenticate"); (len(challenge) == 2) != (test.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", test.path, challenge)
		}
		if test.status == 200 && test.path == path && !strings.HasPrefix(resp.Header.Get("Cache-Control"), "private, ") {
			t.Errorf("an answer to somebody may be kept for everybody: %q", resp.Header.Get("Cache-Control"))
		}
	}
}

// What clients set in GONOSUMDB they learn from the server, but not of what is none of
// their business.
func TestWhoIsKnownLearnsWhichModulesArePrivate(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, `
private: [corp.example.com, secret.example.com]
no_sumdb: [corp.example.com, "*.example.org"]
routes:
- {match: [git.example.com], upstream: direct, private: true}
- {match: [old.example.net], upstream: direct, sumdb_policy: off}
- {match: [proven.example.net], upstream: direct}
access:
- {match: [secret.example.com], subjects: ["user:bob"]}
`))
	headers := map[string][]string{"nobody": nil}
	for _, name := range []string{"alice", "bob"} {
		headers[name] = []string{"Authorization", "Bearer " + r.token(accounts.TokenSpec{User: name})}
	}
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	noSumdb := []string{"*.example.org", "old.example.net"}
	for name, want := range map[string]admin.Names{
		"nobody": {},
		"alice":  {Private: []string{"corp.example.com", "git.example.com"}, NoSumdb: noSumdb},
		"bob":    {Private: []string{"corp.example.com", "git.example.com", "secret.example.com"}, NoSumdb: noSumdb},
	} {
		_, body := r.ask(http.DefaultClient, r.url+"/-/whoami", headers[name]...)
		var me admin.Me
		if err := json.Unmarshal([]byte(body), &me); err != nil || !reflect.DeepEqual(me.Names, want) {
			t.Errorf("%s: %s, %v", name, body, err)
		}
	}
}

func TestWhoIsTurnedAwayIsCounted(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "auth: {anonymous: false}\n"))
	path := r.url + "/example.com/a/@v/v1.0.0.mod"
	r.ask(http.DefaultClient, path)
	r.ask(http.DefaultClient, path, "Authorization", "Bearer wrong")
	r.ask(http.DefaultClient, path, "Authorization", "Bearer wrong")
	_, metrics := r.ask(http.DefaultClient, r.url+"/metrics")
	for _, want := range []string{`weir_refused_total{reason="no-credentials"} 1`, `weir_refused_total{reason="credentials"} 2`, "weir_in_flight 0"} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("the metrics do not say %s", want)
		}
	}
}

func TestAPasswordIsAsGoodAsAToken(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "auth: {anonymous: false}\n"))
	if err := accounts.SetUser(filepath.Join(r.data, "tokens.json"), accounts.User{Name: "alice"}, "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	for password, status := range map[string]int{"correct horse battery": 200, "wrong horse battery": 401} {
		basic := &http.Request{Header: http.Header{}}
		basic.SetBasicAuth("alice", password)
		if resp, body := r.ask(http.DefaultClient, r.url+"/-/whoami", "Authorization", basic.Header.Get("Authorization")); resp.StatusCode != status {
			t.Errorf("%s: %d %s", password, resp.StatusCode, body)
		}
	}
}

func TestWhereNobodyIsKnownStrayCredentialsDoNotMatter(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, ""))
	if resp, body := r.ask(http.DefaultClient, r.url+"/example.com/a/@v/v1.0.0.mod", "Authorization", "Bearer for-somebody-else"); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestARevokedTokenIsWorthlessAfterAReload(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "auth: {anonymous: false}\nreload: {watch: true}\n"))
	header := "Bearer " + r.token(accounts.TokenSpec{User: "alice"})
	r.logs.await(t, "has been reloaded")
	if resp, body := r.ask(http.DefaultClient, r.url+"/-/whoami", "Authorization", header); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	all, err := accounts.ListTokens(filepath.Join(r.data, "tokens.json"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := accounts.RevokeToken(filepath.Join(r.data, "tokens.json"), all[0].ID); err != nil {
		t.Fatal(err)
	}
	r.logs.await(t, "(?s)has been reloaded.*has been reloaded")
	if resp, body := r.ask(http.DefaultClient, r.url+"/-/whoami", "Authorization", header); resp.StatusCode != 401 || !strings.Contains(body, "revoked") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// A18: what somebody may not see looks like what does not exist, stored or not.
func TestA18AHiddenModuleLooksLikeOneThatDoesNotExist(t *testing.T) {
	p, upstream := proxy(t)
	r := start(t, yaml(upstream, "access:\n- {name: staff, match: [example.com], subjects: ['group:staff']}\n"))
	header := []string{"Authorization", "Bearer " + r.token(accounts.TokenSpec{User: "alice", Groups: []string{"staff"}})}
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	if resp, body := r.ask(http.DefaultClient, r.url+"/example.com/a/@v/v1.0.0.mod", header...); resp.StatusCode != 200 {
		t.Fatalf("staff: %d %s", resp.StatusCode, body)
	}
	p.ResetCounts()
	var first string
	for _, path := range []string{"/example.com/a/@v/v1.0.0.mod", "/example.com/b/@v/v1.0.0.mod", "/example.com/none/@v/v1.0.0.mod"} {
		resp, body := r.ask(http.DefaultClient, r.url+path)
		module := strings.TrimPrefix(strings.TrimSuffix(path, "/@v/v1.0.0.mod"), "/")
		answer := strings.ReplaceAll(resp.Status+"\n"+body[:strings.Index(body, "request id")], module, "MODULE")
		for _, name := range []string{"Cache-Control", "Content-Type", "Vary", "Weir-Cache"} {
			answer += name + ": " + resp.Header.Get(name) + "\n"
		}
		if first == "" {
			first = answer
		}
		if resp.StatusCode != 404 || answer != first {
			t.Errorf("%s: %q, but %q before", path, answer, first)
		}
	}
	if n := p.Requests(); len(n) != 0 {
		t.Errorf("the upstream was asked for what nobody may see: %v", n)
	}
}

// A25: the operation of the server is for those who run it.
func TestA25TheOperationIsNotForEverybody(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "access:\n- {name: operators, subjects: ['user:root'], actions: [admin]}\n"))
	root, user := "Bearer "+r.token(accounts.TokenSpec{User: "root"}), "Bearer "+r.token(accounts.TokenSpec{User: "alice"})
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	for _, path := range []string{"/metrics", "/-/api/v1/upstreams", "/-/debug/pprof/heap", "/-/api/v1/access?module=example.com/a"} {
		for _, test := range []struct {
			headers []string
			status  int
		}{
			{nil, 200}, // from this machine
			{[]string{"X-Forwarded-For", "192.0.2.1"}, 401},
			{[]string{"X-Forwarded-For", "127.0.0.1"}, 401}, // so they say
			{[]string{"X-Forwarded-For", "192.0.2.1", "Authorization", user}, 403},
			{[]string{"X-Forwarded-For", "192.0.2.1", "Authorization", root}, 200},
		} {
			if resp, body := r.ask(http.DefaultClient, r.url+path, test.headers...); resp.StatusCode != test.status {
				t.Errorf("%s with %q: %d %.100s", path, test.headers, resp.StatusCode, body)
			}
		}
	}
}

func TestTheOperationCanHaveAnAddressOfItsOwn(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "admin: {listen: '127.0.0.1:0'}\n"))
	own := r.logs.await(t, `has an address of its own" url=(\S+)`)
	for url, want := range map[string]int{
		own + "/metrics": 200, own + "/livez": 200, own + "/example.com/a/@v/v1.0.0.mod": 404,
		r.url + "/metrics": 404, r.url + "/-/api/v1/upstreams": 404, r.url + "/livez": 200, r.url + "/example.com/a/@v/v1.0.0.mod": 200,
	} {
		if resp, body := r.ask(http.DefaultClient, url); resp.StatusCode != want {
			t.Errorf("%s: %d %.100s, want %d", url, resp.StatusCode, body, want)
		}
	}
}

func TestAClientThatAsksTooOftenIsToldWhenToComeBack(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "limits: {rate: 1, burst: 3}\n"))
	served := 0
	resp, body := r.ask(http.DefaultClient, r.url+"/example.com/a/@v/v1.0.0.mod")
	for ; resp.StatusCode == 200 && served < 1000; served++ { // a slow machine gives it time for more
		resp, body = r.ask(http.DefaultClient, r.url+"/example.com/a/@v/v1.0.0.mod")
	}
	if served < 3 || resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "limits") {
		t.Errorf("after %d answers: %d %v %s", served, resp.StatusCode, resp.Header, body)
	}
	r.want("/livez", "200 ")
}

// basic is the header of a user and a password.
func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// A21: who guesses is held up, wherever; those who share the address are not.
func TestA21WrongCredentialsMeetTheRateLimit(t *testing.T) {
	for name, way := range map[string]struct {
		path    string
		headers []string
	}{
		"modules":   {"/example.com/a/@v/v1.0.0.mod", nil},
		"whoami":    {"/-/whoami", nil},
		"operation": {"/metrics", []string{"X-Forwarded-For", "192.0.2.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, upstream := proxy(t)
			r := start(t, yaml(upstream, "auth: {anonymous: false}\naccess: [{name: all, subjects: [authenticated], actions: [read, admin]}]\nlimits: {rate: 1, burst: 3}\n"))
			good := "Bearer " + r.token(accounts.TokenSpec{User: "alice"})
			if err := accounts.SetUser(filepath.Join(r.data, "tokens.json"), accounts.User{Name: "bob"}, "correct horse battery"); err != nil {
				t.Fatal(err)
			}
			r.reload <- os.Interrupt
			r.logs.await(t, "has been reloaded")
			statuses := map[int]int{}
			guess := func(header string) {
				resp, body := r.ask(http.DefaultClient, r.url+way.path, append(way.headers, "Authorization", header)...)
				statuses[resp.StatusCode]++
				if resp.StatusCode == 429 && (resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "weir login")) {
					t.Errorf("%v %s", resp.Header, body)
				}
			}
			for range 30 {
				guess("Bearer wrong")
			}
			for i := range 10 {
				guess(basic("bob", fmt.Sprintf("guess %d", i)))
			}
			if statuses[401] < 3 || statuses[429] < 1 || statuses[401]+statuses[429] != 40 {
				t.Errorf("answers to 40 guesses: %v", statuses)
			}
			if resp, body := r.ask(http.DefaultClient, r.url+way.path, append(way.headers, "Authorization", good)...); resp.StatusCode != 200 {
				t.Errorf("who shares the address: %d %s", resp.StatusCode, body)
			}
			var wrong, untried int
			metrics := r.get("/metrics")
			for line := range strings.Lines(metrics) {
				fmt.Sscanf(line, `weir_refused_total{reason="credentials"} %d`, &wrong)
				fmt.Sscanf(line, `weir_refused_total{reason="passwords"} %d`, &untried)
			}
			if wrong < 30 || untried == 0 || wrong+untried != 40 {
				t.Errorf("%d wrong ones and %d that were not tried are counted, of 40", wrong, untried)
			}
		})
	}
}

// A client that asks for much that is not stored does not hold up another one.
func TestA22ClientsTakeTurnsWithWhatIsNotStored(t *testing.T) {
	const greedy = 40
	p, upstream := proxy(t)
	r := start(t, yaml(upstream, "cache: {max_fills: 2}\nprefetch: {enabled: false}\n"))
	header := []string{"Authorization", "Bearer " + r.token(accounts.TokenSpec{User: "modest"})}
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	p.Break(".info", modtest.Hang)
	var all sync.WaitGroup
	defer all.Wait()
	defer p.Heal()
	for i := range greedy {
		all.Go(func() { r.get(fmt.Sprintf("/example.com/greedy/@v/v1.0.%d.info", i)) })
	}
	for !strings.Contains(r.get("/metrics"), fmt.Sprintf("weir_flights %d\n", greedy)) {
		time.Sleep(10 * time.Millisecond)
	}
	if resp, body := r.ask(http.DefaultClient, r.url+"/example.com/a/@v/v1.0.0.mod", header...); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if !strings.Contains(r.get("/metrics"), fmt.Sprintf("weir_flights %d\n", greedy)) {
		t.Error("the greedy client was served first")
	}
}

// Behind a trusted proxy, clients are told apart by the addresses that it names.
func TestA22ClientsBehindATrustedProxyTakeTurns(t *testing.T) {
	const greedy = 10
	p, upstream := proxy(t)
	r := start(t, yaml(upstream, "cache: {max_fills: 4}\nprefetch: {enabled: false}\nauth: {trusted_proxies: [127.0.0.1]}\n"))
	p.Break(".info", modtest.Hang)
	var all sync.WaitGroup
	defer all.Wait()
	defer p.Heal()
	for i := range greedy {
		url := fmt.Sprintf("%s/example.com/greedy/@v/v1.0.%d.info", r.url, i)
		all.Go(func() { r.try(url, "X-Forwarded-For", "192.0.2.1") })
	}
	r.awaitMetric(fmt.Sprintf("weir_flights %d", greedy))
	for _, other := range []string{"192.0.2.2", "2001:db8::1"} {
		if resp, body := r.ask(http.DefaultClient, r.url+"/example.com/a/@v/v1.0.0.mod", "X-Forwarded-For", other); resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", other, resp.StatusCode, body)
		}
	}
	if !r.says(fmt.Sprintf("weir_flights %d", greedy)) {
		t.Error("the greedy client was served first")
	}
}

// What waits for an upstream that hangs takes no place from what is stored, for
// whomever, and is bounded nevertheless.
func TestF15WaitingTakesNoPlaceFromWhatIsStored(t *testing.T) {
	for name, limits := range map[string]string{"of one client": "in_flight_per_client: 5", "of all": "in_flight: 5"} {
		t.Run(name, func(t *testing.T) {
			p, upstream := proxy(t)
			r := start(t, yaml(upstream, "limits: {"+limits+"}\nprefetch: {enabled: false}\ncache: {fresh: 1ns}\n"))
			const stored, list = "/example.com/a/@v/v1.0.0.info", "/example.com/a/@v/list"
			r.want(stored, "200 ")
			r.want(list, "200 ")
			p.Break("", modtest.Hang)
			var all sync.WaitGroup
			for i := range 5 {
				url := fmt.Sprintf("%s/example.com/a/@v/v1.1.%d.info", r.url, i)
				all.Go(func() { r.try(url) })
			}
			r.awaitMetric("weir_waiting 5")
			for range 20 {
				r.want(stored, "200 ")
				r.want(list, "200 v1.0.0") // which is old: but who may not wait gets it at once
			}
			resp, body := r.ask(http.DefaultClient, r.url+"/example.com/a/@v/v1.2.0.info")
			if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "wait for what is not stored") {
				t.Errorf("one more that would have to wait: %d %v %s", resp.StatusCode, resp.Header, body)
			}
			p.Heal()
			all.Wait()
			r.awaitMetric("weir_waiting 0")
			r.want("/example.com/a/@v/v1.0.0.mod", "200 ")
			if !r.says(`weir_refused_total{reason="waiting"} 21`) {
				t.Error("who may not wait is not counted")
			}
		})
	}
}

// try sends a request of whose answer nothing is expected.
func (r *running) try(url string, headers ...string) {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		r.t.Error(err)
		return
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
}

// says reports whether the metrics have a line.
func (r *running) says(line string) bool { return strings.Contains(r.get("/metrics"), "\n"+line+"\n") }

// awaitMetric waits until the metrics have a line.
func (r *running) awaitMetric(line string) {
	r.t.Helper()
	for !r.says(line) {
		if r.t.Context().Err() != nil {
			r.t.Fatalf("the metrics never said %s", line)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestEveryDecisionIsRecorded(t *testing.T) {
	_, upstream := proxy(t)
	file := filepath.Join(t.TempDir(), "audit.log")
	r := start(t, yaml(upstream, "audit: {file: "+file+"}\naccess:\n- {name: nobody, match: [example.com/b], effect: deny, reason: it is withdrawn}\n"))
	token := r.token(accounts.TokenSpec{User: "alice"})
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	r.ask(http.DefaultClient, r.url+"/example.com/a/@v/v1.0.0.mod", "Authorization", "Bearer "+token, "X-Request-Id", "first")
	r.ask(http.DefaultClient, r.url+"/example.com/b/@v/v1.0.0.mod?token=canary", "X-Request-Id", "second")
	entries := r.audited(file)
	if e := entries["first"]; e["who"] != "alice" || e["from"] != "127.0.0.1" || e["decision"] != "allow" || e["module"] != "example.com/a" || e["status"] != 200.0 {
		t.Errorf("%v", e)
	}
	if e := entries["second"]; e["who"] != nil || e["decision"] != "deny" || e["rule"] != "nobody" || e["reason"] != "it is withdrawn" || e["status"] != 403.0 {
		t.Errorf("%v", e)
	}
	data, err := os.ReadFile(file)
	if err != nil || bytes.Contains(data, []byte("canary")) || bytes.Contains(data, []byte(token)) {
		t.Errorf("a secret was recorded: %s, %v", data, err)
	}
}

func TestLoginsAndRefusedOperationsAreRecordedLikeRequestsForModules(t *testing.T) {
	_, upstream := proxy(t)
	file := filepath.Join(t.TempDir(), "audit.log")
	r := start(t, yaml(upstream, "audit: {file: "+file+"}\nauth: {trusted_proxies: [127.0.0.1]}\n"))
	good := "Bearer " + r.token(accounts.TokenSpec{User: "alice"})
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	r.ask(http.DefaultClient, r.url+"/-/whoami", "Authorization", "Bearer wrong", "X-Request-Id", "guess", "X-Forwarded-For", "192.0.2.1")
	r.ask(http.DefaultClient, r.url+"/-/whoami", "Authorization", good, "X-Request-Id", "login")
	r.ask(http.DefaultClient, r.url+"/metrics", "X-Request-Id", "stranger", "X-Forwarded-For", "192.0.2.2")
	r.ask(http.DefaultClient, r.url+"/metrics", "Authorization", good, "X-Request-Id", "insider", "X-Forwarded-For", "192.0.2.2")
	r.ask(http.DefaultClient, r.url+"/metrics", "X-Request-Id", "operator")
	for _, id := range []string{"guess", "login", "stranger", "insider"} {
		r.logs.await(t, "id="+id)
	}
	for _, want := range []string{`weir_refused_total{reason="credentials"} 1`, `weir_refused_total{reason="no-credentials"} 1`, `weir_refused_total{reason="operation"} 1`, `weir_requests_total{kind="none",result="none",status="401"} 2`} {
		if !r.says(want) {
			t.Errorf("the metrics do not say %s", want)
		}
	}
	entries := r.audited(file)
	for id, want := range map[string]string{
		"guess": "<nil> 192.0.2.1 /-/whoami deny 401", "login": "alice 127.0.0.1 /-/whoami allow 200",
		"stranger": "<nil> 192.0.2.2 /metrics deny 401", "insider": "alice 192.0.2.2 /metrics deny 403",
	} {
		e := entries[id]
		if got := fmt.Sprint(e["who"], " ", e["from"], " ", e["target"], " ", e["decision"], " ", e["status"]); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	if e := entries["operator"]; e != nil {
		t.Errorf("an operator is recorded: %v", e)
	}
}

// audited ends the server and returns what it has recorded, by request.
func (r *running) audited(file string) map[string]map[string]any {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Fatal(err)
	}
	r.done <- nil // for the cleanup
	data, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	entries := map[string]map[string]any{}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var e map[string]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			r.t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		id, _ := e["id"].(string)
		entries[id] = e
	}
	return entries
}

// pair makes a certificate for 127.0.0.1 and writes it and its key to files.
func pair(t *testing.T, dir string, serial int64) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "weir"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, pool = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, key, pool
}

func TestTLSIsSpokenAndAClientCertificateTellsWhoAsks(t *testing.T) {
	_, upstream := proxy(t)
	cert, key, pool := pair(t, t.TempDir(), 1)
	r := start(t, yaml(upstream, "auth: {anonymous: false}\ntls: {cert_file: "+cert+", key_file: "+key+", client_certs: request, client_ca_file: "+cert+"}\n"))
	if !strings.HasPrefix(r.url, "https://") {
		t.Fatal(r.url)
	}
	own, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		certificates []tls.Certificate
		status       int
	}{"without": {nil, 401}, "with": {[]tls.Certificate{own}, 200}} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: test.certificates}, ForceAttemptHTTP2: true}
		resp, body := r.ask(&http.Client{Transport: tr}, r.url+"/example.com/a/@v/v1.0.0.mod")
		tr.CloseIdleConnections()
		if resp.StatusCode != test.status || resp.ProtoMajor != 2 || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s a certificate: %s %d %x %s", name, resp.Proto, resp.StatusCode, resp.TLS.Version, body)
		}
		if resp.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s a certificate: no HSTS", name)
		}
	}
}

// A18: nor does the time that an answer takes tell a hidden module from one that does not
// exist. Of 1,000 pairs in random order, either is the quicker one about as often.
func TestA18TheTimeOfAnAnswerDoesNotTellWhatExists(t *testing.T) {
	_, upstream := proxy(t)
	r := start(t, yaml(upstream, "access:\n- {name: staff, match: [example.com], subjects: ['group:staff']}\n"))
	staff := []string{"Authorization", "Bearer " + r.token(accounts.TokenSpec{User: "alice", Groups: []string{"staff"}})}
	stranger := []string{"Authorization", "Bearer " + r.token(accounts.TokenSpec{User: "mallory"})}
	r.reload <- os.Interrupt
	r.logs.await(t, "has been reloaded")
	stored, absent := r.url+"/example.com/a/@v/v1.0.0.mod", r.url+"/example.com/b/@v/v1.0.0.mod"
	if resp, body := r.ask(http.DefaultClient, stored, staff...); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	took := func(url string, who []string, status int) time.Duration {
		begun := time.Now()
		resp, _ := r.ask(http.DefaultClient, url, who...)
		if resp.StatusCode != status {
			t.Fatalf("%s: %d, want %d", url, resp.StatusCode, status)
		}
		return time.Since(begun)
	}
	const pairs = 1000
	share := func(a, b func() time.Duration) float64 {
		quicker := 0
		for range pairs {
			var x, y time.Duration
			if mathrand.IntN(2) == 0 {
				x, y = a(), b()
			} else {
				y, x = b(), a()
			}
			if x < y {
				quicker++
			}
		}
		return float64(quicker) / pairs
	}
	hidden := func() time.Duration { return took(stored, stranger, 404) }
	nothing := func() time.Duration { return took(absent, stranger, 404) }
	// With no difference, the share leaves these bounds once in a hundred million times.
	if s := share(hidden, nothing); s < 0.41 || s > 0.59 {
		t.Errorf("the stored module is refused quicker in %.0f %% of the pairs", 100*s)
	}
	// That the test could tell: an answer that takes half as long again.
	usual := make([]time.Duration, 101)
	for i := range usual {
		usual[i] = nothing()
	}
	slices.Sort(usual)
	slower := func() time.Duration { return nothing() + usual[len(usual)/2]/2 }
	if s := share(hidden, slower); s < 0.59 {
		t.Errorf("half as much time again is noticed in %.0f %% of the pairs only, so that the test proves nothing", 100*s)
	}
}
