package graphview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/client/diagram"
	"github.com/goweir/weir/internal/client/gomod"
	"github.com/goweir/weir/internal/client/mainmod"
	"github.com/goweir/weir/internal/client/modgraph"
	"github.com/goweir/weir/internal/client/pkggraph"
	"github.com/goweir/weir/internal/client/project"
	"github.com/goweir/weir/internal/client/term"
	"github.com/goweir/weir/internal/source"
)

// mods are the go.mod files that there are, by module version.
type mods map[string]string

// load loads the graph of a main module.
func load(t *testing.T, main string, there mods) *modgraph.Graph {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m.example/main\n"+main), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := project.Find(dir, mainmod.Settings{GOWORK: "off"})
	if err != nil {
		t.Fatal(err)
	}
	files := gomod.Files{Source: source.Func(func(_ context.Context, n artifact.Name) (*blob.Blob, error) {
		if text, ok := there[n.Module+"@"+n.Version]; ok && n.Kind == artifact.Mod {
			return blob.FromBytes(blob.Info{}, []byte("module "+n.Module+"\n"+text)), nil
		}
		return nil, artifact.NotFound("%s is not there", n)
	})}
	g, err := modgraph.NewLoader(p, files, nil).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const mainMod = `go 1.20
require (
	m.example/a v1.0.0
	m.example/b v1.0.0
	m.example/c v1.2.0 // indirect
	m.example/c/v2 v2.0.0 // indirect
	m.example/left v1.0.0 // indirect
)
replace m.example/b => m.example/fork v1.1.0
exclude m.example/bad v1.0.0
`

var there = mods{
	"m.example/a@v1.0.0":    "go 1.20\nrequire m.example/c v1.1.0\nrequire m.example/b v1.0.0\n",
	"m.example/fork@v1.1.0": "go 1.20\nrequire m.example/c v1.2.0\nrequire m.example/c/v2 v2.0.0\nrequire m.example/bad v1.0.0\n",
	"m.example/c@v1.2.0":    "go 1.20\nrequire m.example/b v1.0.0\n",
	"m.example/c/v2@v2.0.0": "go 1.20\n",
	"m.example/left@v1.0.0": "",
}

var extras = Extras{
	News: map[string]gomod.News{
		"m.example/a":    {Latest: "v1.4.0", Retracted: []string{"it \x1b[31mbroke"}},
		"m.example/c":    {Latest: "v1.2.0", Deprecated: "use\nm.example/c/v2"},
		"m.example/left": {Err: errors.New("gone")},
	},
	Sizes: map[string]int64{"m.example/a": 1_234_567, "m.example/b": 999},
}

func print(t *testing.T, show func(*term.Screen)) string {
	t.Helper()
	var b bytes.Buffer
	show(term.New(&b, func(string) string { return "" }))
	return b.String()
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTreeShowsEachModuleOnce(t *testing.T) {
	r := NewReport(load(t, mainMod, there), Extras{})
	same(t, print(t, r.Tree), `m.example/main go 1.20
├─ m.example/a v1.0.0
│  ├─ m.example/c v1.2.0 (here: v1.1.0)
│  │  └─ and 1 shown elsewhere: m.example/b
│  └─ and 1 shown elsewhere: m.example/b
└─ m.example/b v1.0.0 [replaced]
   ├─ m.example/c/v2 v2.0.0
   └─ and 1 shown elsewhere: m.example/c
Required only by versions that are not in force, or as // indirect:
  m.example/left v1.0.0

replaced  m.example/b v1.0.0  by m.example/fork@v1.1.0
majors    m.example/c v1.2.0, m.example/c/v2 v2.0.0
cycle     m.example/b, m.example/c
excluded  m.example/bad v1.0.0  wanted by m.example/b v1.0.0

5 modules in force, 2 of them direct; 11 requirements between 6 versions; 1
module in several major versions; 1 replaced; 1 excluded; 1 group of modules
that require each other.
Retracted or deprecated? Nobody asked; --updates does.
`)
}

func TestTreeShowsWhatIsToBeMinded(t *testing.T) {
	r := NewReport(load(t, mainMod, there), extras)
	got := print(t, r.Tree)
	for _, want := range []string{
		"├─ m.example/a v1.0.0 [retracted] [newest v1.4.0] 1.2 MB\n",
		"\nretracted   m.example/a v1.0.0  it [31mbroke\n",
		"\ndeprecated  m.example/c v1.2.0  use m.example/c/v2\n",
		"ZIP     THE LARGEST\n1.2 MB  m.example/a v1.0.0\n 999 B  m.example/b v1.0.0\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	flat := strings.Join(strings.Fields(got), " ")
	for _, want := range []string{"1 retracted, 1 deprecated, 1 outdated; 1 module could not be asked for news; 1.2 MB in all zips (3 of unknown size)."} {
		if !strings.Contains(flat, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "--updates") || strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
}

func TestHolesAreShown(t *testing.T) {
	r := NewReport(load(t, "go 1.20\nrequire m.example/gone v1.0.0\n", there), Extras{})
	if got := print(t, r.Tree); !strings.Contains(got, "unknown  m.example/gone v1.0.0  not found: ") {
		t.Errorf("got %s", got)
	}
	if len(r.Failures) != 1 || !slices.Equal(r.Failures[0].Chain, []string{"m.example/main", "m.example/gone@v1.0.0"}) {
		t.Errorf("got %+v", r.Failures)
	}
}

func TestWhyIsAChainAndAllWhoAsk(t *testing.T) {
	g := load(t, mainMod, there)
	r := NewReport(g, Extras{})
	why, _ := g.Why("m.example/c")
	r.AddWhy(why)
	same(t, print(t, r.PrintWhy), `m.example/c v1.2.0 is there because of
  m.example/main
  └─ m.example/b v1.0.0
     └─ m.example/c v1.2.0

What leads to it among your own requirements (2):
  m.example/a v1.0.0
  m.example/b v1.0.0

Asked for by (3):
  v1.2.0  m.example/main (// indirect)
  v1.2.0  m.example/b v1.0.0
  v1.1.0  m.example/a v1.0.0
`)
}

func TestWithoutIsAListAndASum(t *testing.T) {
	r := &Report{Summary: Summary{Modules: 7}}
	r.AddWithout(modgraph.Removal{
		Module:  module.Version{Path: "m.example/a", Version: "v1.0.0"},
		Gone:    []module.Version{{Path: "m.example/a", Version: "v1.0.0"}, {Path: "m.example/x", Version: "v1.0.0"}},
		Lowered: []modgraph.Change{{Path: "m.example/c", From: "v1.2.0", To: "v1.1.0"}},
		Stays:   []modgraph.Wish{{Version: "v0.9.0", By: module.Version{Path: "m.example/b", Version: "v1.0.0"}}},
	}, extras)
	same(t, print(t, r.PrintWithout), `Without m.example/a v1.0.0
  gone   m.example/a v1.0.0
  gone   m.example/x v1.0.0
  lower  m.example/c v1.1.0, not v1.2.0
  stays  m.example/b v1.0.0 requires it, v0.9.0
2 modules of 7 would go, 1.2 MB of zips. go mod tidy also looks at packages, and
may drop more.
`)
}

func TestJSONHasEverything(t *testing.T) {
	g := load(t, mainMod, there)
	r := NewReport(g, extras)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"main":["m.example/main"]`, `["m.example/a@v1.0.0","m.example/c@v1.1.0"]`, `"majors":[["m.example/c@v1.2.0","m.example/c/v2@v2.0.0"]]`,
		`"cycles":[["m.example/b","m.example/c"]]`, `"excluded":[["m.example/b@v1.0.0","m.example/bad@v1.0.0"]]`,
		`{"path":"m.example/a","version":"v1.0.0","kind":"direct","go":"1.20","versions":["v1.0.0"],"requires":["m.example/c@v1.1.0","m.example/b@v1.0.0"],"latest":"v1.4.0","retracted":["it [31mbroke"],"zipBytes":1234567}`,
		`"versions":["v1.2.0","v1.1.0"]`, `"replaced":"m.example/fork@v1.1.0"`, `"deprecated":"use m.example/c/v2"`, `"unasked":"gone"`,
		`"summary":{"modules":5,"direct":2,"versions":6,"edges":11,"majors":1,"cycles":1,"replaced":1,"excluded":1,"outdated":1,"retracted":1,"deprecated":1,"unasked":1,"zipBytes":1235566,"unsized":3}`,
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

func TestPictureHasNodesInForceAndWhatTheyWant(t *testing.T) {
	p := NewReport(load(t, mainMod, there), extras).Picture()
	place := map[string]int{}
	for i, n := range p.Nodes {
		place[n.Name] = i
	}
	if len(p.Nodes) != 6 || p.Nodes[place["m.example/a"]].Group != diagram.Direct || p.Nodes[0].Group != diagram.Main {
		t.Errorf("the nodes are %+v", p.Nodes)
	}
	for _, want := range []diagram.Edge{
		{From: place["m.example/a"], To: place["m.example/c"], Label: "v1.1.0"},
		{From: 0, To: place["m.example/c"], Weak: true},
		{From: 0, To: place["m.example/a"]},
	} {
		if !slices.Contains(p.Edges, want) {
			t.Errorf("%+v is not in %+v", want, p.Edges)
		}
	}
	var notes []string
	for _, n := range p.Nodes[place["m.example/c"]].Notes {
		notes = append(notes, n.Text)
	}
	if want := []string{"majors", "cycle", "deprecated"}; !slices.Equal(notes, want) {
		t.Errorf("the notes are %q, want %q", notes, want)
	}
}

var packages = NewPackages([]string{"m.example/m"}, &pkggraph.Graph{
	Packages: []pkggraph.Package{
		{Path: "m.example/m", Name: "main", Module: "m.example/m", Layer: 2, Imports: []string{"m.example/m/a"}},
		{Path: "m.example/m/a", Name: "a", Module: "m.example/m", Layer: 1, Imports: []string{"m.example/m/b"}, TestImports: []string{"m.example/m/fake"}, Others: []string{"x.example/y"}},
		{Path: "m.example/m/b", Name: "b", Module: "m.example/m"},
		{Path: "m.example/m/fake", Name: "fake", Module: "m.example/m"},
		{Path: "m.example/m/lonely", Name: "lonely", Module: "m.example/m"},
	},
	Cycles:   []pkggraph.Cycle{{Packages: []string{"m.example/m/a", "m.example/m/b"}, Test: true}},
	Problems: []pkggraph.Problem{{Dir: "/tmp/bad", Err: errors.New("no\npackage")}},
})

func TestPackagesAreShownInLayers(t *testing.T) {
	same(t, print(t, packages.Print), `layer 2
  .       a
layer 1
  a       b, fake (tests)
layer 0
  b
  fake
  lonely

cycle m.example/m/a → m.example/m/b → m.example/m/a (through the tests of m.example/m/a)
unread /tmp/bad: no package
5 packages in 3 layers; 2 imports between them; 1 more by tests; 1 cycle; 1
folder could not be read whole.
`)
}

func TestPictureOfPackagesTellsWhatTheyAreFor(t *testing.T) {
	p := packages.Picture()
	var groups []diagram.Group
	for _, n := range p.Nodes {
		groups = append(groups, n.Group)
	}
	if want := []diagram.Group{diagram.Main, diagram.Indirect, diagram.Indirect, diagram.Test, diagram.Direct}; !slices.Equal(groups, want) {
		t.Errorf("the groups are %q, want %q", groups, want)
	}
	if !slices.Contains(p.Edges, diagram.Edge{From: 1, To: 3, Weak: true}) || len(p.Edges) != 3 {
		t.Errorf("the edges are %+v", p.Edges)
	}
}
