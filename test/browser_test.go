//go:build programs && !race

// These tests need Debian's chromium: go test -tags programs.

package e2e

import (
	"bytes"
	"context"
	"image"
	"image/color"
	_ "image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// The page is opened as people do: nothing is complained about, all is there, and the
// dark scheme is dark.
func TestBenchPageInABrowser(t *testing.T) {
	t.Parallel()
	b := newBenchWorld(t)
	b.mirror("good.example.com", b.modules...)
	b.mirror("far.example.com", b.modules...).SetLatency(30 * time.Millisecond)
	b.mirror("portal.example.com").Break("", modtest.HTML)
	page := filepath.Join(t.TempDir(), "page.html")
	b.bench(t, 0, "--time", "60s", "--html", page, "https://good.example.com", "https://far.example.com", "https://portal.example.com")

	dom := chromium(t, "--dump-dom", "file://"+page)
	for what, want := range map[string]int{
		`<svg viewBox="`: 4, `role="img"`: 4, `<tr class="good">`: 2, `<tr class="bad">`: 1, "<h1>Module proxies, measured</h1>": 1, `class="median"`: 4, "<script": 0,
	} {
		if n := strings.Count(dom, what); n != want {
			t.Errorf("the page has %s %d times, not %d", what, n, want)
		}
	}
	if n := strings.Count(dom, "<circle "); n < 20 {
		t.Errorf("there are %d dots: %s", n, dom)
	}
	light, dark := screenshot(t, page), screenshot(t, page, "--blink-settings=preferredColorScheme=0")
	if brightness(light) < 0.8 || brightness(dark) > 0.3 {
		t.Errorf("the page is %.2f bright, and in the dark %.2f", brightness(light), brightness(dark))
	}
}

// chromium runs a browser without a window and returns what it says. It must not complain
// about the page.
func chromium(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, "chromium", append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=" + home,
		"--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
	}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.WaitDelay = 5 * time.Second
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v: %s", err, &log)
	}
	if strings.Contains(log.String(), "CONSOLE") {
		t.Errorf("the browser complains: %s", &log)
	}
	return out.String()
}

// screenshot is how a page looks.
func screenshot(t *testing.T, page string, args ...string) image.Image {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shot.png")
	chromium(t, append(args, "--window-size=1000,1600", "--screenshot="+file, "file://"+page)...)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// brightness is the average of an image, from 0 to 1.
func brightness(img image.Image) float64 {
	sum, n := 0, 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 4 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 4 {
			sum += int(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y)
			n++
		}
	}
	return float64(sum) / float64(n) / 255
}

// The page about a graph of hundreds of modules works, and so does its picture.
func TestGraphInABrowser(t *testing.T) {
	p := newGraphProject(t)
	t.Run("page", func(t *testing.T) { p.openPage(t) })
	t.Run("picture", func(t *testing.T) { p.openPicture(t) })
}

func (p *graphProject) openPage(t *testing.T) {
	page := p.write(t, "graph.html", p.run(t, p.cache, "weir", "graph", "--format", "html"))
	if stat, err := os.Stat(page); err != nil || stat.Size() > 2<<20 {
		t.Errorf("the page is too large: %v, %v", stat, err)
	}
	dom := graphDOM(t, page, "why=golang.org/x/sys")
	for _, want := range []string{
		`data-ready="golang.org/x/sys"`, "<h2>golang.org/x/sys</h2>", "<h3>Why it is there</h3>", "<h3>Wanted by (",
		`<a href="#why=helm.sh%2Fhelm%2Fv3">helm.sh/helm/v3</a>`,
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if n := len(regexp.MustCompile(`class="node \w+ on focus"`).FindAllString(dom, -1)); n != 1 {
		t.Errorf("%d nodes have the focus", n)
	}
	if !strings.Contains(dom, `class="edge on chain"`) { // the shortest way is one that the picture leaves out
		t.Error("the way to the module is not shown")
	}

	dom = graphDOM(t, page, "q=yaml&hide=indirect")
	shown := regexp.MustCompile(`<tr data-node="\d+"(?: class="")?><td class="name"><a [^>]*>([^<]*)`).FindAllStringSubmatch(dom, -1)
	if len(shown) == 0 || len(shown) > 5 {
		t.Errorf("the search leaves %d rows: %q", len(shown), shown)
	}
	for _, row := range shown {
		if !strings.Contains(row[1], "yaml") {
			t.Errorf("the search for yaml leaves %s", row[1])
		}
	}

	dom = graphDOM(t, page, "why=no.example/module")
	if !strings.Contains(dom, "no.example/module is not in this graph.") {
		t.Error("an unknown module is not told")
	}
}

func (p *graphProject) openPicture(t *testing.T) {
	picture := p.write(t, "graph.svg", p.run(t, p.cache, "weir", "graph", "--format", "svg"))
	dom := graphDOM(t, picture, "")
	if n := strings.Count(dom, `class="node `); n < 200 || strings.Contains(dom, "parsererror") {
		t.Errorf("the picture has %d nodes", n)
	}
}

// graphDOM is what has become of a file in a browser that opened it in some state.
func graphDOM(t *testing.T, file, state string) string {
	t.Helper()
	address := url.URL{Scheme: "file", Path: file, Fragment: state}
	return chromium(t, "--dump-dom", address.String())
}
