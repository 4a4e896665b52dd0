package egress

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

func TestOneAddressIsPinnedForCommandsThatDialThemselves(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := Dialer{Guard: newGuard(t, "127.0.0.1"), Resolve: func(string) string { return l.Addr().String() }}
	if to, err := d.Pin(t.Context(), "git.example.com:22"); err != nil || to.String() != l.Addr().String() {
		t.Errorf("got %v, %v", to, err)
	}
	d.Guard = newGuard(t)
	if to, err := d.Pin(t.Context(), "git.example.com:22"); artifact.Class(err) != artifact.ErrForbidden {
		t.Errorf("got %v, %v", to, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Dialer{}).Pin(ctx, "git.example.com:22"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
