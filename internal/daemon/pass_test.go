//go:build !race

package daemon

import (
	"net/http"
	"testing"

	"github.com/goweir/weir/internal/auth/accounts"
	"github.com/goweir/weir/internal/config"
)

// The race detector makes pools forget now and then.
func TestComingInAllocatesNothing(t *testing.T) {
	d := newDoor(&config.Config{}, func(string) {})
	d.rules.Store(&rules{open: true, tokens: &accounts.File{}})
	r := &http.Request{RemoteAddr: "192.0.2.1:1234"}
	for name, wait := range map[string]bool{"for what is stored": false, "and waiting": true} {
		n := testing.AllocsPerRun(1000, func() {
			_, pass, err := d.Enter(r)
			if err != nil {
				t.Fatal(err)
			}
			if wait && pass.Wait() != nil {
				t.Fatal("nobody else waits")
			}
			pass.Leave()
		})
		if n != 0 {
			t.Errorf("coming in %s allocates %v times", name, n)
		}
	}
	if d.inFlight.Open()+d.waiting.Open() != 0 {
		t.Error("somebody has not left")
	}
}
