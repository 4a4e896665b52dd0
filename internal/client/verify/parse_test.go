package verify

import (
	"reflect"
	"testing"
)

func TestParseDiffNumbersLinesOfTheFileAsItIs(t *testing.T) {
	diff := "go: downloading x\ndiff current/go.mod tidy/go.mod\n--- current/go.mod\n+++ tidy/go.mod\n@@ -3,5 +3,5 @@\n go 1.21\n \n-require a v1.0.0\n+require a v1.1.0\n+require b v1.0.0\n \n" +
		"diff current/go.sum tidy/go.sum\n--- current/go.sum\n+++ tidy/go.sum\n@@ -0,0 +1,2 @@\n+a v1.0.0 h1:x\n@@ -10 +11,0 @@\n-b v1.0.0 h1:y\n"
	want := []change{
		{"go.mod", 5, false, "require a v1.0.0"}, {"go.mod", 6, true, "require a v1.1.0"}, {"go.mod", 6, true, "require b v1.0.0"},
		{"go.sum", 1, true, "a v1.0.0 h1:x"}, {"go.sum", 10, false, "b v1.0.0 h1:y"},
	}
	if got := parseDiff([]byte(diff)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func FuzzParseSums(f *testing.F) {
	f.Add([]byte("example.com/a v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n<<<<<<< x\n\na b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, findings := parseSums("go.sum", data)
		seen := map[int]bool{}
		for _, l := range lines {
			if l.at < 1 || seen[l.at] || l.mod.Path == "" || l.mod.Version == "" {
				t.Errorf("%+v", l)
			}
			seen[l.at] = true
		}
		for _, f := range findings {
			if f.Line < 1 || f.Message == "" || f.Rule == "" || seen[f.Line] {
				t.Errorf("%+v", f)
			}
		}
	})
}

func TestTextsOfOthersAreShownWithoutSecrets(t *testing.T) {
	for text, want := range map[string]string{
		`reading https://user:canary@proxy.example.com/x: dial tcp`: "reading https://proxy.example.com/x: dial tcp",
		`git fetch ssh://canary@example.com/r and http://c@d/e`:     "git fetch ssh://example.com/r and http://d/e",
		"two\nlines of example.com/a@v1.0.0":                        "two lines of example.com/a@v1.0.0",
	} {
		if got := shown(text); got != want {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
}
