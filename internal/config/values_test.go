package config

import (
	"math"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestSizesAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]struct {
		size Size
		text string
	}{
		"0": {0, "0"}, "1": {1, "1"}, "4096": {4096, "4KiB"}, "64KiB": {64 << 10, "64KiB"}, "32 MiB": {32 << 20, "32MiB"}, "1024MiB": {1 << 30, "1GiB"},
		"1025KiB": {1025 << 10, "1025KiB"}, "9223372036854775807": {math.MaxInt64, "9223372036854775807"}, "8589934591GiB": {8589934591 << 30, "8589934591GiB"},
	} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want.size || s.String() != want.text {
			t.Errorf("%q is %d %q, %v", text, int64(s), s, err)
		}
	}
	for _, text := range []string{"", "-1", "+1", "1.5MiB", "1MB", "1mib", "MiB", "0x10", "1_0", "9223372036854775808", "8589934592GiB", "1MiB1", " 1"} {
		s := Size(7)
		if err := s.UnmarshalText([]byte(text)); err == nil || s != 7 {
			t.Errorf("%q is taken for %d", text, int64(s))
		}
	}
}

func TestDurationsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]struct {
		d    time.Duration
		text string
	}{
		"0": {0, "0s"}, "0s": {0, "0s"}, "10s": {10 * time.Second, "10s"}, "60s": {time.Minute, "1m"}, "90m": {90 * time.Minute, "1h30m"}, "1h0m5s": {time.Hour + 5*time.Second, "1h0m5s"},
		"7d": {7 * day, "7d"}, "24h": {day, "1d"}, "1d12h": {36 * time.Hour, "1d12h"}, "0d1s": {time.Second, "1s"}, "1.5h": {90 * time.Minute, "1h30m"}, "100ms": {100 * time.Millisecond, "100ms"},
		"-1s": {-time.Second, "-1s"}, "106751d": {106751 * day, "106751d"}, "1h": {time.Hour, "1h"}, "10m": {10 * time.Minute, "10m"}, "20h": {20 * time.Hour, "20h"},
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want.d || d.String() != want.text {
			t.Errorf("%q is %d %q, %v", text, int64(d), d, err)
		}
	}
	for _, text := range []string{"", "1", "d", "1.5d", "-1d", "1d-1h", "1d+1h", "1h1d", "106752d", "106751d24h", "1d1", "1y", "2d2d"} {
		d := Duration(7)
		if err := d.UnmarshalText([]byte(text)); err == nil || d != 7 {
			t.Errorf("%q is taken for %v", text, d)
		}
	}
}

func TestTheYAMLLibraryReadsAndWritesTheTypes(t *testing.T) {
	type all struct {
		S Size     `yaml:"s"`
		D Duration `yaml:"d"`
	}
	want := all{32 << 20, Duration(36 * time.Hour)}
	text, err := yaml.Marshal(want)
	if err != nil || string(text) != "s: 32MiB\nd: 1d12h\n" {
		t.Errorf("written as %q, %v", text, err)
	}
	var got all
	if err := yaml.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("read as %+v, %v", got, err)
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"0", "1d12h", "1.5h", "-3s", "106751d23h47m16.854775807s", "1d1d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d, again Duration
		if d.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%q is %d, which is written %q and read as %d, %v", text, d, d, again, err)
		}
	})
}

func TestChecksumDatabasesAreNamedAsForTheGoCommand(t *testing.T) {
	const key = "localhost.localdev/sumdb+00000c67+AcTrnkbUA+TU4heY3hkjiSES/DSQniBqIeQ/YppAUtK6"
	for text, good := range map[string]bool{
		"off": true, "sum.golang.org": true, "sum.golang.google.cn": true, "sum.golang.org https://sum.example.com": true, key: true,
		key + " http://localhost:1": true, "  sum.golang.org\thttps://u:p@sum.example.com/x ": true,
		"": false, " ": false, "sum.example.com": false, key + "x": false, "off https://sum.example.com": false, "sum.golang.org a b": false,
		"sum.golang.org ftp://sum.example.com": false, "sum.golang.org https://": false, "sum.golang.org :": false, "sum.golang.org sum.example.com": false,
		"a+b+c": false, "https://sum.golang.org": false,
	} {
		if text, want := checkSumdb(text), good; (text == "") != want {
			t.Errorf("%q: %q", text, text)
		}
	}
}

func TestUpstreamListsAreThoseOfTheGoCommand(t *testing.T) {
	for list, good := range map[string]bool{
		"off": true, "direct": true, "https://a.example.com": true, "http://a.example.com:8080/x|b.example.com/y,,off": true, "a.example.com:8080": true,
		"file:///srv/modules": true, " https://a.example.com , direct": true, "off,nonsense": true, "direct,ftp://x": true, "https://[::1]:8080": true,
		"": false, ",": false, " | ,": false, "nonsense": false, "noproxy": false, "/srv/modules": false, "ftp://a.example.com": false, "https://": false,
		"https:///x": false, "file://host/srv": false, "file:///x?y": false, "https:/a.example.com": false, "https://a.example.com:x": false, "nonsense,off": false, "http://a b": false,
	} {
		if text := new(Config).checkUpstream(Secret(list)); (text == "") != good {
			t.Errorf("%q: %q", list, text)
		}
	}
}

func TestAddressesAreHostAndPort(t *testing.T) {
	for address, good := range map[string]bool{
		":3000": true, "localhost:3000": true, "127.0.0.1:0": true, "[::1]:3000": true, "": false, "3000": false, "localhost": false, "localhost:": false,
		"localhost:http": false, "localhost:65536": false, "http://localhost:3000": false, "a b:1": false, "::1:3000": false,
	} {
		if text := checkListen(address); (text == "") != good {
			t.Errorf("%q: %q", address, text)
		}
	}
}

func TestPathPrefixesArePathsOfURLs(t *testing.T) {
	for prefix, good := range map[string]bool{
		"": true, "/go": true, "/a/b": true, "/": false, "go": false, "/go/": false, "//go": false, "/a/../b": false, "/a?b": false, "/a%20b": false, "/a b": false,
		"/livez": false, "/-/x": false, "/metricsx": true, "/a\x01": false,
	} {
		if text := checkPathPrefix(prefix); (text == "") != good {
			t.Errorf("%q: %q", prefix, text)
		}
	}
}
