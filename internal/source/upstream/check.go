package upstream

import (
	"context"
	"fmt"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/flaw"
)

// check returns the Check of an artifact of an upstream: that it is what its
// kind says, as far as can be told without asking anybody.
func check(from string, n artifact.Name, zipsHashed bool) func(context.Context, *blob.Spool) error {
	return flaw.Check(n, zipsHashed, func(err error) error { return badBody(from, n, err) })
}

// hashed reports whether a later check reads every file of the zip of a module.
func (o *Options) hashed(n artifact.Name) bool { return o.ZipsHashed != nil && o.ZipsHashed(n.Module) }

// badBody is the error for a body that is not the artifact.
func badBody(from string, n artifact.Name, err error) *artifact.Error {
	return &artifact.Error{
		Class:  artifact.ErrBadUpstream,
		Reason: fmt.Sprintf("%s: bad answer of %s: %s", n, from, artifact.Clean(err.Error(), 300)),
	}
}
