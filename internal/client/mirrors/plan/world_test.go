package plan

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/goweir/weir/internal/client/mirrors/survey"
	"github.com/goweir/weir/internal/modtest"
	"github.com/goweir/weir/internal/source"
)

var threeModules = []modtest.Module{module("example.com/a", "v1.0.0"), module("example.com/b", "v1.1.0"), module("example.com/c", "v0.3.0")}

func module(path, version string) modtest.Module {
	return modtest.Module{Path: path, Version: version, Mod: "module " + path + "\n", Files: map[string]string{"m.go": "package m\n"}}
}

// records are the modules with the hashes that a checksum database has of them.
func records(t *testing.T, mods ...modtest.Module) []survey.Module {
	t.Helper()
	db := modtest.NewSumDB("records.example.com", modtest.New(mods...))
	var all []survey.Module
	for _, m := range mods {
		answer := httptest.NewRecorder()
		db.ServeHTTP(answer, httptest.NewRequest("GET", "/lookup/"+m.Path+"@"+m.Version, nil))
		record := survey.Module{Path: m.Path, Version: m.Version}
		var number int
		var path, version string
		if _, err := fmt.Fscan(answer.Body, &number, &path, &version, &record.Zip, &path, &version, &record.Mod); err != nil {
			t.Fatal(err)
		}
		all = append(all, record)
	}
	return all
}

// current is a GOPROXY that has been read.
func current(t *testing.T, goproxy string) []source.Entry {
	t.Helper()
	list, err := source.ParseList(goproxy)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
