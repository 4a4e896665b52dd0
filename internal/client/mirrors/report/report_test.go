package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/client/mirrors/report"
)

func samples(ms ...float64) mirrors.Latency {
	var l mirrors.Latency
	for _, v := range ms {
		l = append(l, time.Duration(v*float64(time.Millisecond)))
	}
	return l
}

// measured is a report with everything in it.
func measured() mirrors.Report {
	return mirrors.Report{
		Began: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Took: mirrors.Millis(12 * time.Second), Rounds: 10, SumDB: "sum.example.com",
		Modules: []string{"example.com/a@v1.0.0"}, Notes: []string{"a note"},
		Mirrors: []mirrors.Result{
			{
				Name: "https://fast.example.com", State: mirrors.Works, Requests: 30, Succeeded: 30, Protocol: "HTTP/2.0", SumDB: mirrors.Yes,
				DNS: samples(2), Connect: samples(10), TLS: samples(15), FirstByte: samples(20), List: samples(20, 22, 25), Info: samples(18, 900), Mod: samples(19), Zip: samples(50, 80, 40),
				Throughput: 3.2e6, PerModule: mirrors.Millis(90 * time.Millisecond), Compared: 3, Proven: 6,
			},
			{
				Name: "https://slow.example.com", State: mirrors.Works, Requests: 30, Succeeded: 29, Failed: 1, Problem: "odd", FirstByte: samples(300), List: samples(320), Zip: samples(1500),
				Throughput: 90e3, PerModule: mirrors.Millis(2 * time.Second), Compared: 3, Behind: []mirrors.Lag{{Module: "example.com/a", Has: "v1.0.0", Newest: "v1.2.0"}}, Missing: []string{"example.com/b"}, Modules: 3,
			},
			{
				Name: "https://evil.example.com/<script>alert(1)</script>", State: mirrors.Lies, Problem: "\"><img src=x onerror=alert(1)>",
				Wrong: []mirrors.Wrong{{File: "example.com/<b>@v1.0.0.zip", Got: "h1:'\"<", Want: "h1:good"}},
			},
			{Name: "https://dead.example.com", State: mirrors.Fails, Problem: "connection refused"},
		},
	}
}

func TestThePageIsWellFormedAndSaysEverything(t *testing.T) {
	page := string(report.HTML(measured()))
	for _, want := range []string{
		"<h1>Module proxies, measured</h1>", "a note", "GOPROXY=", "https://fast.example.com", "https://dead.example.com", "3.2 MB/s", "connection refused",
		"the newest example.com/a is v1.0.0, another mirror has v1.2.0", "lacks example.com/b", "the checksum database says h1:good", "example.com/a@v1.0.0",
	} {
		if want != "GOPROXY=" && !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := strings.Count(page, "<svg"); n != 4 {
		t.Errorf("there are %d charts", n)
	}
	// All 3 small samples and more: each sample is a dot.
	if n := strings.Count(page, "<circle"); n != 3+2+1+1+3+1 {
		t.Errorf("there are %d dots", n)
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("a chart is no XML: %v", err)
			}
		}
	}
}

// Nothing that a mirror says becomes part of the page, and nothing is loaded.
func TestThePageEscapesAndLoadsNothing(t *testing.T) {
	page := string(report.HTML(measured()))
	for _, bad := range []string{"<script", "<img", "<b>", "onerror=alert(1)>", "http-equiv=\"refresh\"", "@import", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, attribute := range regexp.MustCompile(`(?:src|href|action)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if attribute[1] != "data:," {
			t.Errorf("the page links to %q", attribute[1])
		}
	}
	if !strings.Contains(page, "default-src 'none'") {
		t.Error("the page does not forbid itself to load things")
	}
}

func TestChartsStayWithinTheirFrame(t *testing.T) {
	r := measured()
	r.Mirrors[0].Info = samples(0, 0.0001, 1e6)
	r.Mirrors[0].Throughput = math.MaxFloat32
	page := string(report.HTML(r))
	for _, place := range regexp.MustCompile(` (?:x|cx|x1|width)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		x, err := strconv.ParseFloat(place[1], 64)
		if err != nil || x < 0 || x > 760 {
			t.Errorf("something is drawn at %q", place[1])
		}
	}
}

func TestWithoutAnswersThereAreNoCharts(t *testing.T) {
	page := string(report.HTML(mirrors.Report{Mirrors: []mirrors.Result{{Name: "https://dead.example.com", State: mirrors.Fails, Problem: "connection refused"}}}))
	if strings.Contains(page, "<svg") || !strings.Contains(page, "No mirror can be recommended") {
		t.Errorf("the page is %s", page)
	}
}
