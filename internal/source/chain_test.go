package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
)

var anyName = artifact.Name{Kind: artifact.Mod, Module: "example.com/m", Version: "v1.0.0"}

// script is a Source that plays one step after the other and then the last
// one for ever.
type script struct {
	steps []any // error, string (a body), *blob.Blob
	asked int
}

func (s *script) Fetch(context.Context, artifact.Name) (*blob.Blob, error) {
	step := s.steps[min(s.asked, len(s.steps)-1)]
	s.asked++
	switch step := step.(type) {
	case error:
		return nil, step
	case *blob.Blob:
		return step, nil
	default:
		return body(step.(string)), nil
	}
}

func body(text string) *blob.Blob {
	return &blob.Blob{Info: blob.Info{Size: -1}, Body: io.NopCloser(strings.NewReader(text))}
}

func plays(steps ...any) *script { return &script{steps: steps} }

func text(t *testing.T, b *blob.Blob) string {
	t.Helper()
	data, err := b.ReadAll(1 << 10)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func classed(class error, reason string) error { return &artifact.Error{Class: class, Reason: reason} }

// The outcomes a link can have in the table below.
const (
	outOK = iota
	out404
	out403
	out500
	outcomes
)

func outcome(kind, link int) any {
	switch kind {
	case out404:
		return artifact.NotFound("by %d", link)
	case out403:
		return classed(artifact.ErrForbidden, fmt.Sprintf("forbidden by %d", link))
	case out500:
		return classed(artifact.ErrBadUpstream, fmt.Sprintf("trouble by %d", link))
	}
	return fmt.Sprintf("body of %d", link)
}

// wantWalk says what the go command's TryProxies does with three proxies: how
// many are asked and what of which one is the result.
func wantWalk(kinds [3]int, pipe [3]bool) (asked int, result any) {
	troubled := false
	for i, kind := range kinds {
		asked++
		switch kind {
		case outOK:
			return asked, outcome(kind, i)
		case out404:
			if !troubled {
				result = outcome(kind, i)
			}
		default:
			troubled = true
			result = outcome(kind, i)
			if !pipe[i] {
				return asked, result
			}
		}
	}
	return asked, result
}

func TestChainWalksAsTryProxies(t *testing.T) {
	for n := range outcomes * outcomes * outcomes * 8 {
		kinds := [3]int{n / 8 % outcomes, n / 8 / outcomes % outcomes, n / 8 / outcomes / outcomes}
		pipe := [3]bool{n&1 != 0, n&2 != 0, n&4 != 0}
		var links []Link
		var scripts []*script
		for i, kind := range kinds {
			s := plays(outcome(kind, i))
			scripts = append(scripts, s)
			links = append(links, Link{Name: fmt.Sprint(i), Source: s, FallBackOnError: pipe[i]})
		}
		wantAsked, want := wantWalk(kinds, pipe)

		b, err := Chain(links...).Fetch(t.Context(), anyName)
		var got any = err
		if err == nil {
			got = text(t, b)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("outcomes %v, pipes %v: got %v, want %v", kinds, pipe, got, want)
		}
		if err != nil && artifact.Class(err) != artifact.Class(want.(error)) {
			t.Errorf("outcomes %v, pipes %v: class %v, want that of %v", kinds, pipe, artifact.Class(err), want)
		}
		for i, s := range scripts {
			if once := i < wantAsked; s.asked == 1 != once || s.asked > 1 {
				t.Errorf("outcomes %v, pipes %v: link %d asked %d times", kinds, pipe, i, s.asked)
			}
		}
	}
}

func TestChainAsksAnewForEachRequest(t *testing.T) {
	a := plays(artifact.NotFound("yet"), "here")
	c := Chain(Link{Source: a}, Link{Source: plays("second")})
	for _, want := range []string{"second", "here"} {
		b, err := c.Fetch(t.Context(), anyName)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, b); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestChainOfNothingIsNoProofOfAbsence(t *testing.T) {
	_, err := Chain().Fetch(t.Context(), anyName)
	if artifact.Class(err) != artifact.ErrUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorOfNoClassIsTrouble(t *testing.T) {
	b := plays("second")
	_, err := Chain(Link{Name: "first", Source: plays(io.ErrNoProgress)}, Link{Source: b}).Fetch(t.Context(), anyName)
	if !errors.Is(err, io.ErrNoProgress) || !strings.HasPrefix(err.Error(), "first: ") || b.asked != 0 {
		t.Errorf("got %v after asking the second %d times", err, b.asked)
	}
}

func TestIntegrityOutranksEverything(t *testing.T) {
	bad := classed(artifact.ErrIntegrity, "checksum mismatch")
	for _, links := range [][]Link{
		{{Source: plays(bad), FallBackOnError: true}, {Source: plays(classed(artifact.ErrUnavailable, "503"))}},
		{{Source: plays(artifact.NotFound("x")), FallBackOnError: true}, {Source: plays(bad)}},
		{{Source: plays(bad), FallBackOnError: true}, {Source: plays(artifact.NotFound("x"))}, Off()},
	} {
		if _, err := Chain(links...).Fetch(t.Context(), anyName); !errors.Is(err, bad) {
			t.Errorf("got %v", err)
		}
	}
}

func TestOffAndDirectAreTheEnd(t *testing.T) {
	for _, test := range []struct {
		links []Link
		class error
		want  string
	}{
		{[]Link{Off()}, artifact.ErrNotFound, "not found: example.com/m@v1.0.0 (mod) is not stored here and the upstream list is off"},
		{[]Link{NoDirect("there is no git")}, artifact.ErrUnavailable, "version control cannot be read: there is no git"},
		{[]Link{{Source: plays(artifact.NotFound("unknown revision"))}, Off()}, artifact.ErrNotFound, "unknown revision"},
		{[]Link{{Source: plays(artifact.NotFound("unknown revision"))}, NoDirect("there is no git")}, artifact.ErrNotFound, "unknown revision"},
	} {
		_, err := Chain(test.links...).Fetch(t.Context(), anyName)
		if artifact.Class(err) != test.class || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	trouble := classed(artifact.ErrTimeout, "slow")
	_, err := Chain(Link{Source: plays(trouble), FallBackOnError: true}, Off()).Fetch(t.Context(), anyName)
	if !errors.Is(err, trouble) {
		t.Errorf("trouble before off became %v", err)
	}
}

func TestF16BadBodyWalksOnWhateverTheSeparator(t *testing.T) {
	for _, pipe := range []bool{false, true} {
		a, b := plays("bad"), plays("good")
		first, err := Chain(Link{Source: a, FallBackOnError: pipe}, Link{Source: b}).Fetch(t.Context(), anyName)
		if err != nil {
			t.Fatal(err)
		}
		second, err := first.Next(t.Context(), classed(artifact.ErrBadUpstream, "broke off"))
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, second); got != "good" || a.asked != 1 || b.asked != 1 {
			t.Errorf("got %q after asking %d, %d times", got, a.asked, b.asked)
		}
	}
}

func TestNextAsksEachLinkTwiceAtMost(t *testing.T) {
	scripts := []*script{
		plays(artifact.NotFound("x")),
		plays(classed(artifact.ErrUnavailable, "busy"), "b"),
		plays("c"),
		plays(classed(artifact.ErrTimeout, "slow")),
	}
	var links []Link
	for _, s := range scripts {
		links = append(links, Link{Source: s, FallBackOnError: true})
	}
	cause := classed(artifact.ErrBadUpstream, "broke off")
	b, err := Chain(links...).Fetch(t.Context(), anyName)
	var got []string
	for err == nil {
		got = append(got, text(t, b))
		b, err = b.Next(t.Context(), cause)
	}
	if fmt.Sprint(got) != "[c b c]" {
		t.Errorf("bodies came in the order %v", got)
	}
	if !errors.Is(err, cause) {
		t.Errorf("at the end: %v, want the cause", err)
	}
	for i, want := range []int{1, 2, 2, 2} {
		if scripts[i].asked != want {
			t.Errorf("link %d was asked %d times, want %d", i, scripts[i].asked, want)
		}
	}
}

func TestNextDoesNotAskAgainWhoseBodyTookTooLong(t *testing.T) {
	slow, other := plays("a"), plays(classed(artifact.ErrBadUpstream, "cut"), "b")
	b, err := Chain(Link{Source: slow}, Link{Source: other}).Fetch(t.Context(), anyName)
	if err != nil {
		t.Fatal(err)
	}
	cause := classed(artifact.ErrTimeout, "stalled")
	if b, err = b.Next(t.Context(), cause); !errors.Is(err, cause) {
		t.Errorf("got %v, %v; want the cause", b, err)
	}
	if slow.asked != 1 || other.asked != 1 {
		t.Errorf("asked %d and %d times", slow.asked, other.asked)
	}
}

func TestNextReturnsTheCauseAndIntegrityBeforeAll(t *testing.T) {
	cut := classed(artifact.ErrBadUpstream, "broke off")
	bad := classed(artifact.ErrIntegrity, "checksum mismatch")
	for _, test := range []struct {
		name   string
		links  []Link
		causes []error
		want   error
	}{
		{"absent elsewhere", []Link{{Source: plays("a", cut)}, {Source: plays(artifact.NotFound("x"))}}, []error{cut}, cut},
		{"trouble before", []Link{{Source: plays(classed(artifact.ErrTimeout, "slow")), FallBackOnError: true}, {Source: plays("b", cut)}}, []error{cut}, cut},
		{"integrity first", []Link{{Source: plays("a", cut)}, {Source: plays("b")}}, []error{bad, cut, cut}, bad},
		{"integrity last", []Link{{Source: plays("a", cut)}, {Source: plays("b")}}, []error{cut, cut, bad}, bad},
		{"integrity of a fetch", []Link{{Source: plays(bad), FallBackOnError: true}, {Source: plays("b", cut)}}, []error{cut}, bad},
		{"integrity of a later fetch", []Link{{Source: plays("a", cut)}, {Source: plays(bad)}}, []error{cut}, bad},
		{"a cause that says not found", []Link{{Source: plays("a", cut)}, {Source: plays(artifact.NotFound("x"))}}, []error{artifact.ErrNotFound}, artifact.ErrNotFound},
	} {
		b, err := Chain(test.links...).Fetch(t.Context(), anyName)
		for _, cause := range test.causes {
			if err != nil {
				t.Fatalf("%s: too early: %v", test.name, err)
			}
			b, err = b.Next(t.Context(), cause)
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, %v; want %v", test.name, b, err, test.want)
		}
	}
}

func TestNextAsksTheLinksOwnNextFirst(t *testing.T) {
	own := body("first half")
	own.Next = func(context.Context, error) (*blob.Blob, error) { return body("resumed"), nil }
	other := plays("other")
	first, err := Chain(Link{Source: plays(own)}, Link{Source: other}).Fetch(t.Context(), anyName)
	if err != nil {
		t.Fatal(err)
	}
	second, err := first.Next(t.Context(), io.ErrUnexpectedEOF)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, second); got != "resumed" || other.asked != 0 {
		t.Errorf("got %q after asking the other link %d times", got, other.asked)
	}
	third, err := second.Next(t.Context(), io.ErrUnexpectedEOF)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, third); got != "other" {
		t.Errorf("got %q", got)
	}
}

func TestChainLeavesSharedBlobsAlone(t *testing.T) {
	shared := blob.FromBytes(blob.Info{}, []byte("x"))
	b, err := Chain(Link{Source: plays(shared)}).Fetch(t.Context(), anyName)
	if err != nil {
		t.Fatal(err)
	}
	if shared.Next != nil || b.Next == nil {
		t.Error("the Next of the chain belongs on a copy")
	}
}

func TestEndedContextStopsTheWalk(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("client gone")
	leaves := Func(func(context.Context, artifact.Name) (*blob.Blob, error) {
		cancel(gone)
		return nil, artifact.NotFound("x")
	})
	after := plays("after")
	_, err := Chain(Link{Source: leaves, FallBackOnError: true}, Link{Source: after}).Fetch(ctx, anyName)
	if !errors.Is(err, gone) || errors.Is(err, artifact.ErrNotFound) || after.asked != 0 {
		t.Errorf("got %v after asking on %d times", err, after.asked)
	}

	b, err := Chain(Link{Source: plays("a")}, Link{Source: after}).Fetch(t.Context(), anyName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Next(ctx, io.ErrUnexpectedEOF); !errors.Is(err, gone) || after.asked != 0 {
		t.Errorf("Next: got %v after asking on %d times", err, after.asked)
	}
	bad := classed(artifact.ErrIntegrity, "mismatch")
	if _, err := b.Next(ctx, bad); !errors.Is(err, gone) || artifact.Class(err) != artifact.ErrIntegrity {
		t.Errorf("an ended context hides an integrity error: %v", err)
	}
}

func TestPublicAsksForNoImpossiblePath(t *testing.T) {
	inner := plays("x")
	s := Public(inner)
	for _, mod := range []string{"github.com", "github.com/org", "bitbucket.org/org"} {
		_, err := s.Fetch(t.Context(), artifact.Name{Kind: artifact.List, Module: mod})
		if artifact.Class(err) != artifact.ErrNotFound || inner.asked != 0 {
			t.Errorf("%s: got %v after asking %d times", mod, err, inner.asked)
		}
	}
	if _, err := s.Fetch(t.Context(), artifact.Name{Kind: artifact.List, Module: "github.com/org/repo"}); err != nil || inner.asked != 1 {
		t.Errorf("a possible path: %v after asking %d times", err, inner.asked)
	}
}
