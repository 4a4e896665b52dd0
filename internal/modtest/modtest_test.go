package modtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

const (
	pathA  = "example.com/A"
	pseudo = "v1.1.1-0.20240506070809-0123456789ab"
)

func newProxy() *Proxy {
	mod := "module example.com/A\n"
	p := New(
		Module{Path: pathA, Version: "v1.0.0", Mod: mod, Files: map[string]string{"a.go": "package a\n" + strings.Repeat("// filler\n", 100)}},
		Module{Path: pathA, Version: "v1.1.0", Mod: mod},
		Module{Path: pathA, Version: "v1.2.0-rc.1", Mod: mod},
		Module{Path: pathA, Version: pseudo, Mod: mod},
		Module{Path: "example.com/untagged", Version: "v0.0.0-20240506070809-0123456789ab"},
	)
	p.Branch(pathA, "Main", pseudo)
	return p
}

// get returns the status and body of a GET; the error is that of the body.
func get(t *testing.T, url string) (*http.Response, []byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func want(t *testing.T, url string, status int, text string) {
	t.Helper()
	resp, body, err := get(t, url)
	if err != nil || resp.StatusCode != status || !strings.Contains(string(body), text) {
		t.Errorf("GET %s: %v %.300q, %v; want %d %q", url, resp, body, err, status, text)
	}
}

func TestProxySpeaksTheProtocol(t *testing.T) {
	p := newProxy()
	base := p.Start(t)
	want(t, base+"/example.com/!a/@v/list", 200, "v1.0.0\nv1.1.0\nv1.2.0-rc.1\n")
	want(t, base+"/example.com/%21a/@latest", 200, `"Version":"v1.1.0"`)
	want(t, base+"/example.com/!a/@v/!main.info", 200, `"Version":"`+pseudo+`"`)
	want(t, base+"/example.com/!a/@v/"+pseudo+".info", 200, `"Time":"2024-05-06T07:08:09Z"`)
	want(t, base+"/example.com/!a/@v/!main.mod", 404, "unknown revision")
	want(t, base+"/example.com/untagged/@v/v0.0.0-20240506070809-0123456789ab.mod", 200, "module example.com/untagged\n")
	want(t, base+"/example.com/untagged/@latest", 200, `"v0.0.0-20240506070809-0123456789ab"`)
	want(t, base+"/example.com/none/@v/list", 404, "not found: ")
	want(t, base+"/example.com/A/@v/list", 404, "not found: ")
	want(t, base+"/sumdb/sum.golang.org/supported", 404, "")
	resp, body, err := get(t, base+"/example.com/untagged/@v/list")
	if err != nil || resp.StatusCode != 200 || len(body) != 0 {
		t.Errorf("list of a module without tags: %v %q %v", resp, body, err)
	}
	if n := p.Count("/example.com/!a/@latest"); n != 1 {
		t.Errorf("@latest was counted %d times", n)
	}
}

func TestZipsAreThoseOfTheGoCommand(t *testing.T) {
	p := newProxy()
	if err := p.Add(BigModule("example.com/big", "v1.0.0", 1<<20)); err != nil {
		t.Fatal(err)
	}
	db := NewSumDB("sum.test/db", p)
	base := p.Start(t)
	for _, mod := range []module.Version{{Path: pathA, Version: "v1.0.0"}, {Path: "example.com/big", Version: "v1.0.0"}} {
		escaped, _ := module.EscapePath(mod.Path)
		_, body, err := get(t, base+"/"+escaped+"/@v/"+mod.Version+".zip")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "z.zip")
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := modzip.CheckZip(mod, file); err != nil {
			t.Error(err)
		}
		sum, err := dirhash.HashZip(file, dirhash.Hash1)
		if err != nil {
			t.Fatal(err)
		}
		want(t, base+"/sumdb/sum.test/db/lookup/"+escaped+"@"+mod.Version, 200, mod.Path+" "+mod.Version+" "+sum+"\n")
	}
	want(t, base+"/sumdb/sum.test/db/supported", 200, "")
	want(t, base+"/sumdb/sum.test/db/tile/8/0/000.p/2", 200, "")
	want(t, base+"/sumdb/sum.test/db/tile/8/0/000", 404, "")
	want(t, db.Start(t)+"/latest", 200, "go.sum database tree\n2\n")
	if got := db.GOSUMDB(); !strings.HasPrefix(got, "sum.test/db+") || !strings.Contains(got, " http://127.0.0.1:") {
		t.Errorf("GOSUMDB = %q", got)
	}
}

func TestTheDatabaseLiesForksAndFails(t *testing.T) {
	p := newProxy()
	db := NewSumDB("sum.test", p)
	db.Lie(pathA, "v1.0.0")
	base := p.Start(t)
	lookup := base + "/sumdb/sum.test/lookup/example.com/!a@v1.0.0"
	_, lied, err := get(t, lookup)
	if err != nil || !bytes.Contains(lied, []byte("example.com/A v1.0.0/go.mod h1:")) {
		t.Fatalf("lookup: %q, %v", lied, err)
	}
	want(t, base+"/sumdb/sum.test/lookup/example.com/!a@v1.1.0", 200, "\n2\n")
	db.Fork()
	want(t, base+"/sumdb/sum.test/latest", 200, "\n0\n")
	want(t, base+"/sumdb/sum.test/lookup/example.com/!a@v9.0.0", 404, "")
	db.SetDown(true)
	if _, _, err := get(t, lookup); err == nil {
		t.Error("a database that is down answers")
	}
	want(t, base+"/example.com/!a/@v/list", 200, "v1.0.0")
}

func TestFaultsAreWhatTheySay(t *testing.T) {
	p := newProxy()
	base := p.Start(t)
	url := base + "/example.com/!a/@v/v1.0.0.zip"
	_, good, err := get(t, url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		fault Fault
		check func(resp *http.Response, body []byte, err error) bool
	}{
		{"Truncate", Truncate, func(resp *http.Response, body []byte, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && resp.ContentLength == int64(len(good))
		}},
		{"TruncateChunked", TruncateChunked, func(resp *http.Response, body []byte, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && resp.ContentLength == -1
		}},
		{"Short", Short, func(resp *http.Response, body []byte, err error) bool {
			return err == nil && bytes.Equal(body, good[:len(good)/2])
		}},
		{"ShortChunked", ShortChunked, func(resp *http.Response, body []byte, err error) bool {
			return err == nil && resp.ContentLength == -1 && bytes.Equal(body, good[:len(good)/2])
		}},
		{"Corrupt", Corrupt, func(_ *http.Response, body []byte, err error) bool {
			return err == nil && len(body) == len(good) && !bytes.Equal(body, good)
		}},
		{"HTML", HTML, func(resp *http.Response, body []byte, err error) bool {
			return err == nil && resp.StatusCode == 200 && bytes.Contains(body, []byte("<html>"))
		}},
		{"Status", Status(503, 7*time.Second), func(resp *http.Response, _ []byte, err error) bool {
			return err == nil && resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "7"
		}},
		{"Gone", Gone, func(resp *http.Response, _ []byte, err error) bool { return err != nil && resp == nil }},
		{"Reset", Reset, func(resp *http.Response, _ []byte, err error) bool {
			return errors.Is(err, syscall.ECONNRESET) && resp == nil
		}},
		{"ResetAfter", ResetAfter(100), func(resp *http.Response, body []byte, err error) bool {
			return err != nil && resp.StatusCode == 200 && resp.ContentLength == int64(len(good)) && len(body) <= 100
		}},
		{"Flap", Flap(Status(404, 0)), func(resp *http.Response, _ []byte, err error) bool { return err == nil && resp.StatusCode == 404 }},
		{"First", First(0, Gone), func(_ *http.Response, body []byte, err error) bool { return err == nil && bytes.Equal(body, good) }},
		{"Slow", Slow(len(good) * 10), func(_ *http.Response, body []byte, err error) bool { return err == nil && bytes.Equal(body, good) }},
	} {
		p.Break(".zip", c.fault)
		resp, body, err := get(t, url)
		if !c.check(resp, body, err) {
			t.Errorf("%s: %v, %d bytes, %v", c.name, resp, len(body), err)
		}
		want(t, base+"/example.com/!a/@v/list", 200, "v1.0.0")
		p.Heal()
	}
	p.SetDown(true)
	if _, _, err := get(t, url); err == nil {
		t.Error("a proxy that is down answers")
	}
	p.Heal()
	if _, body, err := get(t, url); err != nil || !bytes.Equal(body, good) {
		t.Errorf("after healing: %d bytes, %v", len(body), err)
	}
}

func TestHangingAnswersGoOnWhenHealed(t *testing.T) {
	for name, f := range map[string]Fault{"Hang": Hang, "HangBody": HangBody} {
		t.Run(name, func(t *testing.T) {
			p := newProxy()
			base := p.Start(t)
			p.Break(".zip", f)
			type result struct {
				body []byte
				err  error
			}
			done := make(chan result, 1)
			go func() {
				_, body, err := get(t, base+"/example.com/!a/@v/v1.0.0.zip")
				done <- result{body, err}
			}()
			if err := p.Await(t.Context(), "/example.com/!a/@v/v1.0.0.zip", 1); err != nil {
				t.Fatal(err)
			}
			select {
			case <-done:
				t.Fatal("the answer did not hang")
			case <-time.After(50 * time.Millisecond):
			}
			p.Heal()
			if r := <-done; r.err != nil || len(r.body) == 0 {
				t.Errorf("after healing: %d bytes, %v", len(r.body), r.err)
			}
		})
	}
}

func TestLoadReadsATree(t *testing.T) {
	p, err := Load(fstest.MapFS{
		"branches":                               {Data: []byte("example.com/sub/x main v1.0.0\n\n")},
		"example.com/sub/x@v1.0.0/go.mod":        {Data: []byte("module example.com/sub/x\n")},
		"example.com/sub/x@v1.0.0/in/deep/x.go":  {Data: []byte("package deep\n")},
		"golang.org/toolchain@v0.0.1-go1/bin/go": {Data: []byte("#!/bin/sh\n")},
		"golang.org/toolchain@v0.0.1-go1/.info":  {Data: []byte(`{"Version":"odd"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	base := p.Start(t)
	want(t, base+"/example.com/sub/x/@v/main.info", 200, "v1.0.0")
	want(t, base+"/example.com/sub/x/@v/v1.0.0.zip", 200, "example.com/sub/x@v1.0.0/in/deep/x.go")
	want(t, base+"/golang.org/toolchain/@v/v0.0.1-go1.info", 200, "odd")
	want(t, base+"/golang.org/toolchain/@v/v0.0.1-go1.mod", 200, "module golang.org/toolchain\n")
	for _, bad := range []fstest.MapFS{
		{"stray.txt": {}}, {"example.com/x@v1.0.0": {}}, {"branches": {Data: []byte("two words\n")}}, {"example.com/x@v1/go.mod": {}},
	} {
		if _, err := Load(bad); err == nil {
			t.Errorf("Load(%v) is content", bad)
		}
	}
}

func TestFlappingIsEveryOtherRequest(t *testing.T) {
	p := newProxy()
	url := p.Start(t) + "/example.com/!a/@v/v1.0.0.mod"
	p.Break("", Flap(Status(404, 0)))
	for range 3 {
		want(t, url, 404, "")
		want(t, url, 200, "module example.com/A")
	}
}

// part asks for all bytes of a zip from one on.
func part(t *testing.T, url, from, ifRange string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes="+from+"-")
	req.Header.Set("If-Range", ifRange)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestZipsHaveRangesAndTags(t *testing.T) {
	p := newProxy()
	url := p.Start(t) + "/example.com/!a/@v/v1.0.0.zip"
	resp, body, err := get(t, url)
	if err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]Fault{"none": {}, "Slow": Slow(100 << 10), "ResetAfter": ResetAfter(len(body) - 19)} {
		p.Break("", fault)
		if status, rest := part(t, url, "20", resp.Header.Get("ETag")); status != 206 || rest != string(body[20:]) {
			t.Errorf("%s: %d, %d bytes; want the rest of %d", name, status, len(rest), len(body))
		}
		p.Heal()
	}
	if status, whole := part(t, url, "20", `"another"`); status != 200 || whole != string(body) {
		t.Errorf("of another tag: %d, %d bytes; want all", status, len(whole))
	}
}

func TestAMachineKeepsItsAddress(t *testing.T) {
	p := newProxy()
	m, err := NewMachine(t, p)
	if err != nil {
		t.Fatal(err)
	}
	url := m.URL + "/example.com/!a/@v/v1.0.0.mod"
	want(t, url, 200, "module example.com/A")
	p.Break("", Hang)
	hanging := make(chan error, 1)
	go func() {
		_, _, err := get(t, url)
		hanging <- err
	}()
	if err := p.Await(t.Context(), "/example.com/!a/@v/v1.0.0.mod", 2); err != nil {
		t.Fatal(err)
	}
	m.Kill()
	if err := <-hanging; err == nil {
		t.Error("a killed machine answers what was under way")
	}
	if _, _, err := get(t, url); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a killed machine: %v; want that it refuses", err)
	}
	p.Heal()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	want(t, url, 200, "module example.com/A")
}
