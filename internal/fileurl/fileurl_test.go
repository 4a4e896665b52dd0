package fileurl

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// All systems are tested on each.
func TestURLsArePathsAndBack(t *testing.T) {
	for _, c := range []struct {
		windows   bool
		text      string
		path      string
		canonical string // URL of the path; empty: text
	}{
		{false, "file:///srv/modules", "/srv/modules", ""},
		{false, "file:///srv/modules/", "/srv/modules/", ""},
		{false, "file:///a%20b%25/%C3%A9", "/a b%/é", ""},
		{false, "file:///a%2Cb%7Cc", "/a,b|c", ""},
		{false, "file:///a,b", "/a,b", "file:///a%2Cb"},
		{false, "file:///C:/modules", "/C:/modules", ""},
		{false, `file:///a%5Cb`, `/a\b`, ""},
		{false, "file:///", "/", ""},
		{false, "file:////host/share", "//host/share", ""},

		{true, "file:///C:/modules", `C:\modules`, ""},
		{true, "file:///c:/modules/", `c:\modules\`, ""},
		{true, "file:///C:/a%20b,c", `C:\a b,c`, "file:///C:/a%20b%2Cc"},
		{true, "file:///C:/", `C:\`, ""},
		{true, "file:///C:", `C:\`, "file:///C:/"},
		{true, "file:////host/share/x", `\\host\share\x`, ""},
		{true, "file://///host/share/x", `\\host\share\x`, "file:////host/share/x"},
		{true, "file:///srv/modules", `\srv\modules`, ""},
		{true, "file:///1:/x", `\1:\x`, ""},
		{true, "file:///", `\`, ""},
	} {
		u, err := url.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := pathOf(u.Path, c.windows); got != c.path {
			t.Errorf("windows %v: the path of %s is %s, want %s", c.windows, c.text, got, c.path)
		}
		want := c.canonical
		if want == "" {
			want = c.text
		}
		if got := urlOf(c.path, c.windows).String(); got != want {
			t.Errorf("windows %v: the URL of %s is %s, want %s", c.windows, c.path, got, want)
		}
	}
}

func TestAFolderOfThisSystemIsFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b, c")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(Of(dir).String())
	if err != nil {
		t.Fatal(err)
	}
	if got := Path(u); got != dir {
		t.Errorf("%s leads to %s, want %s", u, got, dir)
	}
}
