package source

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
)

func TestVersionsNamesWhatTheModuleMayHave(t *testing.T) {
	for _, test := range []struct {
		mod, list string
		want      []string
	}{
		{"example.com/m", "", nil},
		{"example.com/m", "v1.10.0\nv1.2.0\nv1.2.0-rc.1\n", []string{"v1.2.0-rc.1", "v1.2.0", "v1.10.0"}},
		{"example.com/m", "v1.0.0\r\nv1.1.0\r\n", []string{"v1.0.0", "v1.1.0"}},
		{"example.com/m", "v1.0.0 2020-01-02T03:04:05Z x\n\n  v1.1.0\t\nv1.0.0\nv1.2.0", []string{"v1.0.0", "v1.1.0", "v1.2.0"}},
		{"example.com/m", "v1\nv1.2\n1.2.3\nmain\nv1.2.3+meta\nv01.2.3\n", nil},
		{"example.com/m", "v2.0.0\nv2.0.0+incompatible\nv1.0.0\n", []string{"v1.0.0", "v2.0.0+incompatible"}},
		{"example.com/m/v2", "v1.0.0\nv2.1.0\nv2.2.0+incompatible\nv3.0.0\n", []string{"v2.1.0"}},
		{"gopkg.in/yaml.v3", "v3.0.1\nv2.0.0\n", []string{"v3.0.1"}},
		{"example.com/m", "v0.0.0-20200101000000-0123456789ab\nv1.0.1-0.20200101000000-0123456789ab\n", nil},
		{"golang.org/toolchain", "v0.0.1-go1.21.0.linux-amd64\n", []string{"v0.0.1-go1.21.0.linux-amd64"}},
		{"example.com/m", strings.Repeat("v1.0.0", 1000) + "\nv1.0.0", []string{"v1.0.0"}},
	} {
		if got := Versions(test.mod, []byte(test.list)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("Versions(%s, %q) = %q, want %q", test.mod, test.list, got, test.want)
		}
	}
}

func TestA10VersionsOfAMonstrousListAreBounded(t *testing.T) {
	var list bytes.Buffer
	for i := range 1_000_000 {
		fmt.Fprintf(&list, "v1.0.%d\n", i)
	}
	if got := len(Versions("example.com/m", list.Bytes())); got != MaxLines {
		t.Errorf("%d versions, want %d", got, MaxLines)
	}
	if err := CheckList(list.Bytes()); err == nil {
		t.Error("a list of a million lines passed")
	}
	line := bytes.Repeat([]byte("v"), 8<<20)
	if got := Versions("example.com/m", line); got != nil {
		t.Errorf("one long line made %d versions", len(got))
	}
}

func TestA10CheckListTellsAListFromAnotherAnswer(t *testing.T) {
	for _, good := range []string{"", "\n", " \r\n", "v1.0.0\n", "junk\nv1.0.0\n", "v1\n", "v1.0.0"} {
		if err := CheckList([]byte(good)); err != nil {
			t.Errorf("CheckList(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{
		"<!DOCTYPE html><html>\nv1.0.0\n", "\ufeff\n <html>", "<?xml version='1.0'?><Error>", `{"error": "login"}`,
		"PK\x03\x04\x00\x00", "v1.0.0\n\x00", "no versions here",
	} {
		if err := CheckList([]byte(bad)); err == nil {
			t.Errorf("CheckList(%q) passed", bad)
		}
	}
	if err := CheckList(bytes.Repeat([]byte("v1.0.0 "), 3<<20)); err == nil {
		t.Error("a list of 21 MiB passed")
	}
}

func FuzzVersions(f *testing.F) {
	f.Add("example.com/m", []byte("v1.0.0\nv1.2.0 2020-01-01T00:00:00Z\r\nx"))
	f.Add("example.com/m/v2", []byte("v2.0.0\nv2.0.0+incompatible"))
	f.Fuzz(func(t *testing.T, mod string, list []byte) {
		versions := Versions(mod, list)
		for i, v := range versions {
			if !artifact.IsCanonical(mod, v) || module.IsPseudoVersion(v) {
				t.Fatalf("%q has no version %q", mod, v)
			}
			if i > 0 && semver.Compare(versions[i-1], v) >= 0 {
				t.Fatalf("%q stands before %q", versions[i-1], v)
			}
		}
		if again := Versions(mod, []byte(strings.Join(versions, "\n"))); !slices.Equal(again, versions) {
			t.Fatalf("read again: %q, want %q", again, versions)
		}
		_ = CheckList(list)
	})
}

const pseudo = "v0.0.0-20200102030405-0123456789ab"

func TestA9ParseInfo(t *testing.T) {
	info := artifact.Name{Kind: artifact.Info, Module: "example.com/m", Version: "v1.2.3"}
	branch := artifact.Name{Kind: artifact.Query, Module: "example.com/m", Version: "main"}
	ofPseudo := info
	ofPseudo.Version = pseudo
	latest := artifact.Name{Kind: artifact.Latest, Module: "example.com/m/v2"}
	for _, test := range []struct {
		name artifact.Name
		json string
		want string // of the error; empty: none
	}{
		{info, `{"Version":"v1.2.3"}`, ""},
		{info, `{"Version":"v1.2.3","Time":null}`, ""},
		{info, `{"Version":"v1.2.3","Time":"2020-01-02T03:04:05Z","Origin":{"VCS":"git"},"New":[1]}` + "\n", ""},
		{info, `{"Version":"v1.2.3","Time":"2020-01-02T03:04:05.5+02:00"}`, ""},
		{info, `{"Version":"v1.2.4"}`, "another version"},
		{info, `{"Version":"v1.2.3","Time":"2120-01-02T03:04:05Z"}`, "future"},
		{info, `{"Version":"v1.2.3","Time":"yesterday"}`, "not the JSON"},
		{info, `{"Version":"v1.2.3","Time":12}`, "not the JSON"},
		{info, `{"Version":12}`, "not the JSON"},
		{info, `{"Version":"v1.2.3"} {}`, "not the JSON"},
		{info, `{"Version":"v1.2.3"`, "not the JSON"},
		{info, `["v1.2.3"]`, "not the JSON"},
		{info, `null`, "null"},
		{info, `{}`, "no canonical version"},
		{info, ``, "not the JSON"},
		{info, "<html>login</html>", "login page"},
		{info, strings.Repeat(" ", 2<<20) + `{"Version":"v1.2.3"}`, "larger"},
		{branch, `{"Version":"` + pseudo + `","Time":"2020-01-02T03:04:05Z"}`, ""},
		{branch, `{"Version":"v1.9.0"}`, ""},
		{branch, `{"Version":"main"}`, "no canonical version"},
		{branch, `{"Version":"v2.0.0"}`, "no canonical version"},
		{ofPseudo, `{"Version":"` + pseudo + `"}`, ""},
		{ofPseudo, `{"Version":"` + pseudo + `","Time":"2020-01-02T05:04:05+02:00"}`, ""},
		{ofPseudo, `{"Version":"` + pseudo + `","Time":"2020-01-02T03:05:04Z"}`, ""},
		{latest, `{"Version":"v2.0.0"}`, ""},
		{latest, `{"Version":"v1.0.0"}`, "no canonical version"},
		{latest, `{"Version":"v1.0.0\u001b[31m\n"}`, "no canonical version"},
	} {
		got, err := ParseInfo(test.name, []byte(test.json))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("ParseInfo(%v, %.80s): %v", test.name, test.json, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.ContainsAny(err.Error(), "\x1b\n")):
			t.Errorf("ParseInfo(%v, %.80s) = %v, %q; want %q", test.name, test.json, got, err, test.want)
		}
	}
}

func TestA9TimesMayBeTwoDaysAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := artifact.Name{Kind: artifact.Info, Module: "example.com/m", Version: "v1.2.3"}
		for ahead, good := range map[time.Duration]bool{47 * time.Hour: true, 48 * time.Hour: true, 49 * time.Hour: false} {
			data := fmt.Appendf(nil, `{"Version":"v1.2.3","Time":%q}`, time.Now().Add(ahead).Format(time.RFC3339))
			if _, err := ParseInfo(n, data); err == nil != good {
				t.Errorf("%v ahead: %v", ahead, err)
			}
		}
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add("example.com/m", "v1.2.3", []byte(`{"Version":"v1.2.3","Time":"2020-01-02T03:04:05Z"}`))
	f.Add("example.com/m", pseudo, []byte(`{"Version":"`+pseudo+`"}`))
	f.Fuzz(func(t *testing.T, mod, version string, data []byte) {
		n := artifact.Name{Kind: artifact.Info, Module: mod, Version: version}
		info, err := ParseInfo(n, data)
		if err != nil {
			if info != (Info{}) {
				t.Fatalf("an info and an error: %v, %v", info, err)
			}
			return
		}
		if info.Version != version || !artifact.IsCanonical(mod, version) {
			t.Fatalf("ParseInfo(%v) = %v", n, info)
		}
	})
}

func TestCheckMod(t *testing.T) {
	for _, good := range []string{
		"module example.com/m\n", "// a comment\nmodule \"example.com/m\"\r\ngo 1.20", "module other.example/fork\n", "module example.com/m // caf\xe9\n",
	} {
		if err := CheckMod([]byte(good)); err != nil {
			t.Errorf("CheckMod(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{"", "\n", "go 1.20\n", "<html>\nmodule x\n", "module x\n\x00", `{"error":1}`, strings.Repeat("module x\n", 2<<20)} {
		if err := CheckMod([]byte(bad)); err == nil {
			t.Errorf("CheckMod(%.40q) passed", bad)
		}
	}
}
