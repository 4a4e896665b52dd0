package e2e

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/modtest"
)

// entry is a file of a zip that no honest tool makes.
type entry struct {
	name string
	text string
	mode fs.FileMode
	hack func(*zip.FileHeader)
}

const zipPrefix = "example.com/zip@v1.0.0/"

var goMod = entry{name: zipPrefix + "go.mod", text: "module example.com/zip\n"}

func makeZip(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		if e.hack != nil {
			e.hack(h)
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(e.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipBomb has n times 1 MiB of zeros, in a few kilobytes each.
func zipBomb(t *testing.T, n int) []byte {
	t.Helper()
	zeros := make([]byte, 1<<20)
	var packed bytes.Buffer
	f, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		_, err = f.Write(zeros)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range n {
		w, err := z.CreateRaw(&zip.FileHeader{
			Name: zipPrefix + "f" + string(rune('a'+i/26/26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26)), Method: zip.Deflate,
			CRC32: crc32.ChecksumIEEE(zeros), CompressedSize64: uint64(packed.Len()), UncompressedSize64: uint64(len(zeros)),
		})
		if err == nil {
			_, err = w.Write(packed.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// lieAboutSize makes the directory of a zip declare another size of its first
// file than there is.
func lieAboutSize(t *testing.T, data []byte, size uint32) []byte {
	t.Helper()
	data = bytes.Clone(data)
	directory := bytes.Index(data, []byte("PK\x01\x02"))
	if directory < 0 {
		t.Fatal("the zip has no directory")
	}
	binary.LittleEndian.PutUint32(data[directory+24:], size)
	return data
}

func TestA8ZipTricks(t *testing.T) {
	t.Parallel()
	file := func(name string) entry { return entry{name: zipPrefix + name, text: "package zip\n"} }
	good := makeZip(t, goMod, file("a.go"))
	bad := map[string][]byte{
		"bomb of 501 MiB":               zipBomb(t, 501),
		"link":                          makeZip(t, goMod, entry{name: zipPrefix + "l", text: "/etc/passwd", mode: fs.ModeSymlink | 0o777}),
		"device":                        makeZip(t, goMod, entry{name: zipPrefix + "d", mode: fs.ModeDevice | 0o600}),
		"way out":                       makeZip(t, goMod, file("../../../x.go")),
		"absolute name":                 makeZip(t, goMod, entry{name: "/etc/passwd", text: "x"}),
		"backslash":                     makeZip(t, goMod, file(`..\x.go`)),
		"same name twice":               makeZip(t, goMod, file("a.go"), file("a.go")),
		"names that differ in case":     makeZip(t, goMod, file("a.go"), file("A.go")),
		"file that is a folder":         makeZip(t, goMod, file("a"), file("a/b.go")),
		"other module":                  makeZip(t, entry{name: "example.com/other@v1.0.0/go.mod", text: "module example.com/other\n"}),
		"other version":                 makeZip(t, entry{name: "example.com/zip@v1.0.1/go.mod", text: "module example.com/zip\n"}),
		"no prefix":                     makeZip(t, entry{name: "go.mod", text: "module example.com/zip\n"}),
		"go.mod below":                  makeZip(t, goMod, file("sub/go.mod")),
		"GO.MOD":                        makeZip(t, entry{name: zipPrefix + "GO.MOD", text: "module example.com/zip\n"}),
		"reserved name":                 makeZip(t, goMod, file("con.go")),
		"go.mod of 17 MiB":              makeZip(t, entry{name: zipPrefix + "go.mod", text: "module example.com/zip\n" + strings.Repeat("//\n", 17<<20/3)}),
		"encrypted":                     makeZip(t, goMod, entry{name: zipPrefix + "a.go", text: "x", hack: func(h *zip.FileHeader) { h.Flags |= 1 }}),
		"cut off":                       good[:len(good)-30],
		"trailing data":                 append(bytes.Clone(good), "trailing"...),
		"size that is too little":       lieAboutSize(t, good, 1),
		"size that is too big":          lieAboutSize(t, good, 1<<20),
		"headers that do not match":     bytes.Replace(good, []byte(zipPrefix+"a.go"), []byte(zipPrefix+"b.go"), 1),
		"no zip at all":                 []byte("<html>"),
		"nothing":                       {},
		"name that is no UTF-8":         makeZip(t, goMod, file("\xff.go")),
		"data in front of the archive":  append([]byte("#!/bin/sh\n"), good...),
		"name with a control character": makeZip(t, goMod, file("a\n.go")),
	}
	p := modtest.New(modtest.Module{Path: "example.com/zip", Version: "v1.0.0", Mod: goMod.text, Zip: good})
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t))
	const path = "/example.com/zip/@v/v1.0.0.zip"
	for name, data := range bad {
		p.Break(".zip", modtest.Answer(http.StatusOK, "application/zip", data))
		r := w.get(t, path)
		p.Heal()
		if r.err != nil || r.status != http.StatusBadGateway {
			t.Errorf("%s: %v; want 502", name, r)
			continue
		}
		checkRefusal(t, path, r)
		if slices.Contains(w.stored(t), path) { // its .mod and .info are good
			t.Errorf("%s: it is stored", name)
		}
	}
	w.want(t, path, good)
}

func TestA9AnswersThatDoNotFitTogether(t *testing.T) {
	t.Parallel()
	zipOf := func(path string) []byte {
		return makeZip(t, entry{name: path + "@v1.0.0/go.mod", text: "module " + path + "\n"})
	}
	p := modtest.New(
		modtest.Module{Path: "example.com/mod", Version: "v1.0.0", Mod: "module example.com/mod // another\n", Zip: zipOf("example.com/mod")},
		modtest.Module{Path: "example.com/info", Version: "v1.0.0", Info: `{"Version":"v1.0.1","Time":"2024-01-01T00:00:00Z"}`},
		modtest.Module{Path: "example.com/nonsense", Version: "v1.0.0", Info: `{"Version":"../../x"}`},
		modtest.Module{Path: "example.com/fork", Version: "v1.0.0", Mod: "module example.com/original\n"},
	)
	p.Branch("example.com/nonsense", "main", "v1.0.0")
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t))
	w.want(t, "/example.com/mod/@v/v1.0.0.mod", []byte("module example.com/mod // another\n"))
	for _, path := range []string{"/example.com/mod/@v/v1.0.0.zip", "/example.com/info/@v/v1.0.0.info", "/example.com/nonsense/@v/v1.0.0.info", "/example.com/nonsense/@v/main.info", "/example.com/nonsense/@latest"} {
		r := w.get(t, path)
		if r.err != nil || r.status != http.StatusBadGateway && r.status != http.StatusForbidden {
			t.Errorf("GET %s: %v; want 502 or 403", path, r)
		}
	}
	// That a fork has the module line of its original is how forks are.
	w.want(t, "/example.com/fork/@v/v1.0.0.mod", []byte("module example.com/original\n"))
	for _, stored := range w.stored(t) {
		switch module, file, _ := strings.Cut(stored, "/@v/"); {
		case file == "v1.0.0.info" && (module == "/example.com/info" || module == "/example.com/nonsense"),
			file == "v1.0.0.zip" && module == "/example.com/mod":
			t.Errorf("stored: %s", stored)
		}
	}
}

func TestA10PoisonedAnswers(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/m", "v1.0.0"))
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t))
	many := strings.Repeat("v1.0.0\n", 1_000_000)
	for _, c := range []struct{ file, kind, body string }{
		{"/@v/v1.0.0.info", "text/html", "<html>Sign in</html>"},
		{"/@v/v1.0.0.info", "application/json", "<html>Sign in</html>"},
		{"/@v/v1.0.0.info", "application/json", ""},
		{"/@v/v1.0.0.info", "application/json", "{}"},
		{"/@v/v1.0.0.info", "application/json", `{"Version":"v1.0.0"} {"Version":"v1.0.1"}`},
		{"/@v/v1.0.0.info", "application/json", `{"Version":"v1.0.0","Time":"yesterday"}`},
		{"/@v/v1.0.0.info", "application/json", `{"Version":"v1.0.0","x":"` + strings.Repeat("x", 20<<20) + `"}`},
		{"/@v/v1.0.0.mod", "text/plain", ""},
		{"/@v/v1.0.0.mod", "text/plain", "<html>Sign in</html>"},
		{"/@v/v1.0.0.mod", "text/plain", "module example.com/m\n" + strings.Repeat("//\n", 17<<20/3)},
		{"/@v/v1.0.0.mod", "text/plain", "\x1f\x8b\x08 packed"},
		{"/@latest", "application/json", "null"},
		{"/@latest", "application/json", `{"Version":"main"}`},
		{"/@v/list", "text/html", "<html>Sign in</html>"},
		{"/@v/list", "text/plain", "<html>\n<body>Sign in</body>\n</html>\n"},
		{"/@v/list", "text/plain", strings.Repeat("v", 30<<20)},
		{"/@v/list", "text/plain", strings.Repeat(many, 6)},
	} {
		path := "/example.com/m" + c.file
		p.Break("", modtest.Answer(http.StatusOK, c.kind, []byte(c.body)))
		r := w.get(t, path)
		p.Heal()
		if r.err != nil || r.status != http.StatusBadGateway {
			t.Errorf("GET %s of %.60q: %v; want 502", path, c.body, r)
			continue
		}
		checkRefusal(t, path, r)
	}
	for _, path := range append(files("example.com/m", "v1.0.0"), "/example.com/m/@latest", "/example.com/m/@v/list") {
		w.want(t, path, truth(t, p, path))
	}
	w.checkStore(t, p)
}

// Lists of other proxies hold what lists should not: it does not get through.
func TestA10ListsAreMadeClean(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/m", "v1.0.0"))
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t))
	p.Break("/list", modtest.Answer(http.StatusOK, "text/plain",
		[]byte("v1.10.0\r\nv1.9.0 2024-01-01T00:00:00Z\nv1.9.0\n\nv0.0.0-20240506070809-0123456789ab\nv1.2\nv2.0.0\nv1.11.0-rc.1\nv2.0.0+incompatible\n")))
	r := w.get(t, "/example.com/m/@v/list")
	if !r.whole() || !bytes.HasSuffix(r.body, []byte("\n")) {
		t.Fatalf("list: %v", r)
	}
	var versions []string
	for line := range strings.Lines(string(r.body)) {
		version, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if semver.Canonical(version) != strings.TrimSuffix(version, "+incompatible") {
			t.Errorf("line %q is no canonical version", line)
		}
		versions = append(versions, version)
	}
	if got := strings.Join(versions, " "); got != "v1.9.0 v1.10.0 v1.11.0-rc.1 v2.0.0+incompatible" {
		t.Errorf("versions are %q", got)
	}
}

func TestA12BranchesMoveAndVersionsDoNot(t *testing.T) {
	t.Parallel()
	const old, newer = "v0.0.0-20240506070809-0123456789ab", "v0.0.0-20240607080910-ba9876543210"
	const module = "example.com/m"
	p := modtest.New(simple(module, "v1.0.0"), simple(module, old), simple(module, newer))
	p.Branch(module, "main", old)
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_CACHE_FRESH=100ms")
	if r := w.get(t, "/example.com/m/@v/main.info"); !r.whole() || !bytes.Contains(r.body, []byte(old)) || strings.Contains(r.header.Get("Cache-Control"), "immutable") {
		t.Errorf("main: %v, Cache-Control %q", r, r.header.Get("Cache-Control"))
	}
	p.Branch(module, "main", newer)
	eventually(t, 10*time.Second, "main has moved", func() bool {
		r := w.get(t, "/example.com/m/@v/main.info")
		return r.whole() && bytes.Contains(r.body, []byte(newer))
	})

	// A tag moves, and then the repository goes.
	wants := map[string][]byte{}
	for _, path := range files(module, "v1.0.0") {
		wants[path] = truth(t, p, path)
		w.want(t, path, wants[path])
	}
	moved := simple(module, "v1.0.0")
	moved.Mod += "// moved\n"
	moved.Time = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := p.Add(moved); err != nil {
		t.Fatal(err)
	}
	for path, want := range wants {
		w.want(t, path, want)
	}
	for _, version := range []string{"v1.0.0", old, newer} {
		p.Remove(module, version)
	}
	for path, want := range wants {
		w.want(t, path, want)
	}
	eventually(t, 10*time.Second, "the list has been asked for again", func() bool {
		w.get(t, "/example.com/m/@v/list")
		return p.Count("/example.com/m/@v/list") > 1
	})
	if r := w.get(t, "/example.com/m/@v/list"); !r.whole() || string(r.body) != "v1.0.0\n" {
		t.Errorf("the list forgot a version that is served: %v", r)
	}
}

// A checksum database that forks its log is not believed any more, and what was
// proven before is served on.
func TestA13TheDatabaseForksItsLog(t *testing.T) {
	t.Parallel()
	p := modtest.New(simple("example.com/before", "v1.0.0"), simple("example.com/more", "v1.0.0"), simple("example.com/after", "v1.0.0"))
	db := modtest.NewSumDB("sum.example.org", p)
	w := startWeir(t, "WEIR_UPSTREAM="+p.Start(t), "WEIR_SUMDB="+db.Key())
	for _, m := range []string{"example.com/before", "example.com/more"} {
		for _, path := range files(m, "v1.0.0") {
			w.want(t, path, truth(t, p, path))
		}
	}
	db.Fork()
	r := w.get(t, "/example.com/after/@v/v1.0.0.mod")
	if r.err != nil || r.status != http.StatusForbidden {
		t.Errorf("a version that only the other log knows: %v; want 403", r)
	}
	w.want(t, "/example.com/before/@v/v1.0.0.zip", truth(t, p, "/example.com/before/@v/v1.0.0.zip"))
	for _, stored := range w.stored(t) {
		if strings.HasPrefix(stored, "/example.com/after/@v/v1.0.0.mod") {
			t.Errorf("stored: %s", stored)
		}
	}
	if !strings.Contains(w.log.String(), "level=ERROR") {
		t.Error("nothing loud is in the log")
	}
}
