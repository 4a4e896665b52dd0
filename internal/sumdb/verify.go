package sumdb

import (
	"context"
	"fmt"
	"io"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/source"
)

// Policy says what happens to a new version while no remote can be reached.
type Policy bool

// The policies.
const (
	Require       Policy = false // it is refused
	WhenAvailable Policy = true  // it passes and is proven later, by Run
)

// Verify is a Source whose .mod and .zip are compared with the database, unless
// they are private. The lookup begins with the fetch and is waited for in the
// Check of the blob.
func (d *Database) Verify(inner source.Source, p Policy) source.Source {
	v := &verifier{d, p}
	return source.Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		if d.o.Private(n.Module) {
			return inner.Fetch(ctx, n)
		}
		switch n.Kind {
		case artifact.Info:
			d.begin(n.Module, n.Version) // the .mod will be asked for next
		case artifact.Mod, artifact.Zip:
			d.begin(n.Module, n.Version)
			b, err := inner.Fetch(ctx, n)
			if err != nil {
				return nil, err
			}
			return v.verified(n, b), nil
		}
		return inner.Fetch(ctx, n)
	})
}

// A verifier is a Database with a policy.
type verifier struct {
	*Database
	policy Policy
}

// verified returns a blob like b whose bytes are compared with the database, and
// so are those that take their place.
func (v *verifier) verified(n artifact.Name, b *blob.Blob) *blob.Blob {
	next := *b
	next.Check = func(ctx context.Context, s *blob.Spool) error {
		if b.Check != nil {
			if err := b.Check(ctx, s); err != nil {
				return err
			}
		}
		return v.check(ctx, n, s)
	}
	if b.Next != nil {
		next.Next = func(ctx context.Context, cause error) (*blob.Blob, error) {
			other, err := b.Next(ctx, cause)
			if err != nil {
				return nil, err
			}
			return v.verified(n, other), nil
		}
	}
	return &next
}

// check compares bytes that have arrived with the database.
func (v *verifier) check(ctx context.Context, n artifact.Name, s *blob.Spool) error {
	r, err := v.lookup(ctx, n.Module, n.Version)
	switch class := artifact.Class(err); {
	case class == artifact.ErrUnavailable && v.policy == WhenAvailable:
		return v.postpone(ctx, n)
	case class == artifact.ErrNotFound:
		return v.unknown(n)
	case err != nil:
		return err
	}
	got, err := h1.Hash(n, spooled(s), s.Size())
	if err != nil {
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: fmt.Sprintf("%s cannot be read to compare it with %s", n, v.config.Name), Err: err}
	}
	return v.compareHash(n, r, got, Mismatch)
}

// spooled is the quickest way to the bytes of a spool.
func spooled(s *blob.Spool) io.ReaderAt {
	if f := s.File(); f != nil {
		return f
	}
	return s
}

// unknown refuses a version that the database does not know, although it knows
// every public one: most often it is private and nobody has said so.
func (d *Database) unknown(n artifact.Name) error {
	return &artifact.Error{
		Class:  artifact.ErrForbidden,
		Reason: fmt.Sprintf("%s does not know this version, so that it cannot be proven", d.config.Name),
		Hint:   "if the module is private, add it to --private, or to no_sumdb if upstreams may be asked for it",
	}
}

// compareHash compares the hash of bytes with the record of their version.
func (d *Database) compareHash(n artifact.Name, r record, got string, kind AlarmKind) error {
	version := n.Version
	if n.Kind == artifact.Mod {
		version += "/go.mod"
	}
	want, ok := r.hash(n.Module, version)
	if ok && got == want {
		return nil
	}
	if !ok {
		want = "nothing of it"
	}
	d.alarm(kind, n.Module, n.Version, fmt.Sprintf("%s: upstream bytes hash to %s, the database says %s", n.Kind, got, want))
	return &artifact.Error{
		Class:  artifact.ErrIntegrity,
		Reason: fmt.Sprintf("checksum mismatch with %s: upstream bytes of the %s file hash to %s, the database says %s", d.config.Name, n.Kind, got, want),
		Hint:   "do not use this version from there: the upstream, or somebody on the way, has changed it; another upstream may have the right bytes",
	}
}
