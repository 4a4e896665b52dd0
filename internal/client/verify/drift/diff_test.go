package drift

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
