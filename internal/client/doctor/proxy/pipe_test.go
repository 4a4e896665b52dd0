package proxy

import (
	"testing"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/client/doctor/settings"
	"github.com/goweir/weir/internal/source"
)

func TestAPipeTurnsTroubleIntoAWarning(t *testing.T) {
	for _, c := range []struct {
		goproxy string
		kind    string
		second  check.State
		want    check.State
	}{
		{"https://a|https://b", "refused", check.OK, check.Warn},
		{"https://a,https://b", "refused", check.OK, check.Bad},
		{"https://a|https://b", "silent", check.OK, check.Bad}, // for which the go command waits
		{"https://a|https://b", "refused", check.Bad, check.Bad},
		{"https://a|direct", "refused", "", check.Warn},
	} {
		list, err := source.ParseList(c.goproxy)
		if err != nil {
			t.Fatal(err)
		}
		var all []*Proxy
		for _, e := range list {
			all = append(all, &Proxy{Entry: settings.Entry{Entry: e}})
		}
		findings := []check.Finding{{Entry: 1, Result: check.Trouble(c.kind, "", "")}}
		if c.second != "" {
			findings = append(findings, check.Finding{Entry: 2, Result: check.Result{State: c.second}})
		}
		if Mitigate(all, findings); findings[0].State != c.want {
			t.Errorf("%+v: %s", c, findings[0].State)
		}
	}
}
