package intake

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/sumdb"
)

// checkDatabase reports whether bundle and Weir do not trust the same database.
func (in *intake) checkDatabase() error {
	switch theirs := in.manifest.SumDB; {
	case in.SumDB.Off && in.RequireSums:
		return errors.New("there is no checksum database here to require records of: set --sumdb or GOSUMDB to the one that the bundle is proven by")
	case in.SumDB.Off || theirs == nil || theirs.Name == in.SumDB.Name:
		return nil
	default:
		return fmt.Errorf("the bundle is proven by %s, and %s is trusted here: set --sumdb or GOSUMDB to the key of the former, if you trust it", theirs.Name, in.SumDB.Name)
	}
}

// begin opens the checksum database on what the Weir has of it and on what the bundle
// adds, and proves that the one goes on where the other ends.
func (in *intake) begin(ctx context.Context) (err error) {
	if in.SumDB.Off {
		return nil
	}
	in.db, err = sumdb.New(in.SumDB, sumdb.Options{Store: in.disk, Remotes: []sumdb.Remote{{Source: source.Func(in.fetchSum)}}})
	if err != nil {
		return err
	}
	in.mirror, in.proven = in.db.Mirror(), in.db.Verify(in.files, sumdb.Require)
	if in.manifest.SumDB == nil {
		return nil
	}
	b, err := in.mirror.Fetch(ctx, artifact.Name{Kind: artifact.SumLatest, DB: in.db.Name()})
	if err != nil {
		return in.explainHead(err)
	}
	in.head, err = b.ReadAll(artifact.SumLatest.MaxSize())
	return err
}

// explainHead is the error for a tree head of the bundle that cannot be believed.
func (in *intake) explainHead(err error) error {
	if errors.Is(err, artifact.ErrIntegrity) {
		return &artifact.Error{
			Class: artifact.ErrIntegrity, Err: err,
			Reason: fmt.Sprintf("the tree head in the bundle is not one of %s, or contradicts the one that this Weir knows", in.SumDB.Name),
			Hint:   "do not use the bundle before you know who has made it",
		}
	}
	return &artifact.Error{
		Class: artifact.ErrUnavailable, Err: err,
		Reason: fmt.Sprintf("the bundle does not prove that its %s goes on where the one that this Weir knows ends", in.SumDB.Name),
		Hint:   "export it again with --since and the bundle that was imported last, or a file with what this Weir answers at /sumdb/" + in.SumDB.Name + "/latest",
	}
}

// fetchSum brings files of the checksum database out of the bundle. Records are under
// the newest head, so that nothing has to be proven of one that the Weir has passed.
func (in *intake) fetchSum(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
	b, err := in.files.Fetch(ctx, n)
	if n.Kind == artifact.SumTile && errors.Is(err, artifact.ErrNotFound) {
		return nil, &artifact.Error{Class: artifact.ErrUnavailable, Reason: n.String() + " is not in the bundle", Err: err} // it exists elsewhere
	}
	if err != nil || n.Kind != artifact.SumLookup || in.head == nil {
		return b, err
	}
	raw, err := b.ReadAll(n.Kind.MaxSize())
	if err != nil {
		return nil, err
	}
	id, text, _, err := tlog.ParseRecord(raw)
	if err != nil {
		return nil, err
	}
	record, err := tlog.FormatRecord(id, text)
	if err != nil {
		return nil, err
	}
	return blob.FromBytes(blob.Info{}, append(record, in.head...)), nil
}

// sourceOf is the source that proves a module as far as it can be. The record is stored
// with it.
func (in *intake) sourceOf(ctx context.Context, n artifact.Name) (source.Source, error) {
	v := module.Version{Path: n.Module, Version: n.Version}
	if in.db != nil {
		_, err := in.mirror.Fetch(ctx, artifact.Name{Kind: artifact.SumLookup, DB: in.db.Name(), Module: v.Path, Version: v.Version})
		switch {
		case err == nil:
			return in.proven, nil
		case artifact.Class(err) != artifact.ErrNotFound:
			return nil, in.unprovable(v, err)
		case in.modules[v].Proven:
			return nil, &artifact.Error{
				Class:  artifact.ErrIntegrity,
				Reason: fmt.Sprintf("the manifest says that %s is proven, and the bundle has no record of it", v),
				Hint:   "the bundle was changed: copy it again, and compare it with the one that was exported",
			}
		}
	}
	if in.RequireSums {
		return nil, &artifact.Error{
			Class:  artifact.ErrForbidden,
			Reason: fmt.Sprintf("no checksum database has a record of %s in the bundle", v),
			Hint:   "if it is private and you trust who made the bundle, leave --require-sums away",
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.out.Unproven = append(in.out.Unproven, v)
	return in.files, nil
}

// unprovable is the error for a record that cannot be proven.
func (in *intake) unprovable(v module.Version, err error) error {
	if errors.Is(err, artifact.ErrIntegrity) {
		return &artifact.Error{
			Class: artifact.ErrIntegrity, Err: err,
			Reason: fmt.Sprintf("the record of %s in the bundle is not one of %s", v, in.SumDB.Name),
			Hint:   "somebody has forged it: do not use the bundle before you know who",
		}
	}
	return &artifact.Error{
		Class: artifact.ErrUnavailable, Err: err,
		Reason: fmt.Sprintf("the record of %s cannot be proven with the tiles in the bundle and in this Weir", v),
		Hint:   "this Weir knows a newer tree of " + in.SumDB.Name + " than the bundle: export it again now",
	}
}
