package artifact_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

func TestParseNamesEveryFileOfTheProtocol(t *testing.T) {
	tests := []struct {
		path string
		want artifact.Name
	}{
		{"golang.org/x/mod/@v/list", artifact.Name{Kind: artifact.List, Module: "golang.org/x/mod"}},
		{"golang.org/x/mod/@latest", artifact.Name{Kind: artifact.Latest, Module: "golang.org/x/mod"}},
		{"github.com/!azure/x/@v/v1.2.3.info", artifact.Name{Kind: artifact.Info, Module: "github.com/Azure/x", Version: "v1.2.3"}},
		{"github.com/a/b/@v/v1.2.3-!r!c1.mod", artifact.Name{Kind: artifact.Mod, Module: "github.com/a/b", Version: "v1.2.3-RC1"}},
		{"github.com/a/b/v2/@v/v2.0.0.zip", artifact.Name{Kind: artifact.Zip, Module: "github.com/a/b/v2", Version: "v2.0.0"}},
		{"github.com/a/b/@v/v2.0.0+incompatible.zip", artifact.Name{Kind: artifact.Zip, Module: "github.com/a/b", Version: "v2.0.0+incompatible"}},
		{"gopkg.in/yaml.v3/@v/v3.0.1.mod", artifact.Name{Kind: artifact.Mod, Module: "gopkg.in/yaml.v3", Version: "v3.0.1"}},
		{"golang.org/toolchain/@v/v0.0.1-go1.22.0.linux-amd64.zip", artifact.Name{Kind: artifact.Zip, Module: "golang.org/toolchain", Version: "v0.0.1-go1.22.0.linux-amd64"}},
		{"github.com/a/b/@v/v0.0.0-20200101000000-0123456789ab.info", artifact.Name{Kind: artifact.Info, Module: "github.com/a/b", Version: "v0.0.0-20200101000000-0123456789ab"}},
		{"github.com/a/b/@v/!main.info", artifact.Name{Kind: artifact.Query, Module: "github.com/a/b", Version: "Main"}},
		{"github.com/a/b/@v/v1.info", artifact.Name{Kind: artifact.Query, Module: "github.com/a/b", Version: "v1"}},
		{"github.com/a/b/@v/v2.0.0.info", artifact.Name{Kind: artifact.Query, Module: "github.com/a/b", Version: "v2.0.0"}},
		{"github.com/a/b/@v/v1.2.3+meta.info", artifact.Name{Kind: artifact.Query, Module: "github.com/a/b", Version: "v1.2.3+meta"}},
		{"sumdb/sum.golang.org/supported", artifact.Name{Kind: artifact.SumSupported, DB: "sum.golang.org"}},
		{"sumdb/localhost.localdev/sumdb/latest", artifact.Name{Kind: artifact.SumLatest, DB: "localhost.localdev/sumdb"}},
		{"sumdb/a.b/latest/latest", artifact.Name{Kind: artifact.SumLatest, DB: "a.b/latest"}},
		{"sumdb/sum.golang.org/lookup/github.com/!x/lookup/y@v1.0.0", artifact.Name{Kind: artifact.SumLookup, DB: "sum.golang.org", Module: "github.com/X/lookup/y", Version: "v1.0.0"}},
		{"sumdb/sum.golang.org/tile/8/0/x001/234", artifact.Name{Kind: artifact.SumTile, DB: "sum.golang.org", Tile: "tile/8/0/x001/234"}},
		{"sumdb/sum.golang.org/tile/8/1/003.p/17", artifact.Name{Kind: artifact.SumTile, DB: "sum.golang.org", Tile: "tile/8/1/003.p/17"}},
		{"sumdb/sum.golang.org/tile/8/data/000", artifact.Name{Kind: artifact.SumTile, DB: "sum.golang.org", Tile: "tile/8/data/000"}},
	}
	for _, tt := range tests {
		got, err := artifact.Parse(tt.path)
		if err != nil || got != tt.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", tt.path, got, err, tt.want)
		}
		if got.Key() != tt.path {
			t.Errorf("Parse(%q).Key() = %q: two spellings of one name", tt.path, got.Key())
		}
	}
}

func TestA1A2A3ParseRefusesWhatIsNoArtifact(t *testing.T) {
	for _, path := range []string{
		"", "/", "x", "@v/list", "/@v/list", "list",
		"../etc/passwd/@v/list", "a.b/../c/@v/list", "a.b/./c/@v/list", "a.b//c/@v/list", "a.b/c/@v/v1.0.0.zip/../x",
		"a.b/c\\d/@v/list", "a.b/c\x00/@v/list", "a.b/\xff/@v/list", "a.b/c./@v/list", "a.b/con/@v/list", "a.b/aux.x/@v/list", "nodot/x/@v/list",
		"github.com/Azure/x/@v/list", "github.com/!!a/@v/list", "github.com/!A/@v/list", "github.com/a!/@v/list", "github.com/a/b/@v/v1.0.0-RC1.info",
		"a.b/@v/c/@v/list", "a.b/c/@v/", "a.b/c/@v/.info", "a.b/c/@v/v1.0.0", "a.b/c/@v/v1.0.0.exe", "a.b/c/@v/list/", "a.b/c/@v/list.txt/x",
		"a.b/c/@v/-x.info", "a.b/c/@v/--upload-pack=x.info", "a.b/c/@v/v1.0.0;id.info", "a.b/c/@v/v1.0.0\r\nX:1.info", "a.b/c/@v/v1.0.0/../../x.info",
		"a.b/c/@v/" + strings.Repeat("v", 300) + ".info", strings.Repeat("a.b/", 300) + "@v/list", "a.b/" + strings.Repeat("c", 250) + "/@v/list",
		"a.b/c/@v/v1.mod", "a.b/c/@v/master.zip", "a.b/c/@v/v2.0.0.mod", "a.b/c/v2/@v/v2.0.0+incompatible.zip", "a.b/c/@v/latest.info", "a.b/c/@v/upgrade.info",
		"a.b/c/v1/@v/list", "a.b/c/v0/@v/list", "a.b/c/v02/@v/list", "gopkg.in/yaml/@v/list",
		"sumdb/", "sumdb/sum.golang.org", "sumdb/sum.golang.org/other", "sumdb//supported", "sumdb/../supported", "sumdb/Sum.golang.org/supported",
		"sumdb/a.b/lookup/", "sumdb/a.b/lookup/x.y/z", "sumdb/a.b/lookup/x.y/Z@v1.0.0", "sumdb/a.b/lookup/x.y/z@main", "sumdb/a.b/lookup/x.y/z@v1.0.0/go.mod",
		"sumdb/a.b/tile/8/0/1", "sumdb/a.b/tile/8/0/x001", "sumdb/a.b/tile/8/0/001.p/256", "sumdb/a.b/tile/99/0/001", "sumdb/a.b/tile/8/0/../001",
	} {
		n, err := artifact.Parse(path)
		if !errors.Is(err, artifact.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Parse(%.80q) = %+v, %v; want not found", path, n, err)
		}
		if reason, _ := artifact.Explain(err); !strings.HasPrefix(reason, "not found: ") {
			t.Errorf("Parse(%.80q): reason %q", path, reason)
		}
	}
}

func TestImpossiblePathsAreThoseOfHostsAndOwners(t *testing.T) {
	for mod, want := range map[string]bool{
		"github.com": true, "github.com/owner": true, "github.com/owner/repo": false, "github.com/owner/repo/sub": false,
		"bitbucket.org/owner": true, "golang.org/x": false, "example.com": false,
	} {
		if got := (artifact.Name{Kind: artifact.List, Module: mod}).Impossible(); got != want {
			t.Errorf("Impossible(%q) = %v", mod, got)
		}
	}
}

func TestOnlyWhatNeverChangesIsImmutable(t *testing.T) {
	for path, want := range map[string]bool{
		"a.b/c/@v/v1.0.0.info": true, "a.b/c/@v/v1.0.0.mod": true, "a.b/c/@v/v1.0.0.zip": true, "a.b/c/@v/main.info": false, "a.b/c/@v/list": false, "a.b/c/@latest": false,
		"sumdb/a.b/lookup/x.y/z@v1.0.0": true, "sumdb/a.b/latest": false, "sumdb/a.b/tile/8/0/001": true, "sumdb/a.b/tile/8/0/001.p/3": false, "sumdb/a.b/supported": false,
	} {
		n, err := artifact.Parse(path)
		if err != nil || n.Immutable() != want {
			t.Errorf("%s: immutable = %v, %v", path, n.Immutable(), err)
		}
	}
}

// FuzzParse looks for a path that is accepted and then has another spelling, or
// leaves the tree it is stored in.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"golang.org/x/mod/@v/list", "github.com/!azure/x/@v/v1.2.3.info", "a.b/c/@v/!main.info", "sumdb/a.b/tile/8/0/x001/234.p/5", "sumdb/a.b/lookup/x.y/z@v1.0.0", "a.b/../c/@v/list"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		n, err := artifact.Parse(path)
		if err != nil {
			if !errors.Is(err, artifact.ErrNotFound) {
				t.Fatalf("Parse(%q): %v has another class than not found", path, err)
			}
			return
		}
		key := n.Key()
		if key != path {
			t.Fatalf("Parse(%q).Key() = %q", path, key)
		}
		if !fs.ValidPath(key) || strings.HasPrefix(key, ".") || strings.ToLower(key) != key {
			t.Fatalf("key %q is not fit to be stored", key)
		}
	})
}
