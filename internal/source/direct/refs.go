package direct

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/goweir/weir/internal/source/direct/cage"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// How often a repository is asked what its tags stand for, at most, and how long the
// list of versions that it is asked with waits for the answer.
const (
	refsInterval = time.Hour
	refsPatience = 10 * time.Second
)

// refs returns which commits the tags of a git repository stand for, or nil. The go
// command does not tell, since to it a tag stays what it was when it was first seen.
// Nothing depends on it, so that it costs a question now and then only.
func (s *Source) refs(ctx context.Context, c *cage.Cage, r origin.Repository, mod string) map[string]string {
	if _, asked := s.refsAsked.Get(mod); asked || r.VCS != "git" {
		return nil
	}
	s.refsAsked.Put(mod, struct{}{}, time.Now().Add(refsInterval))
	ctx, cancel := context.WithTimeout(ctx, refsPatience)
	defer cancel()
	out, err := c.Git(ctx, "ls-remote", "-q", "--tags", "--end-of-options", r.Location.String())
	if err != nil {
		return nil
	}
	return parseRefs(out)
}

// parseRefs reads what "git ls-remote" says. An annotated tag stands for the commit
// that it is about, which has a line of its own.
func parseRefs(out string) map[string]string {
	refs, peeled := map[string]string{}, map[string]string{}
	for line := range strings.Lines(out) {
		hash, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if tag, ok := strings.CutSuffix(name, "^{}"); ok {
			peeled[tag] = hash
		} else if name != "" {
			refs[name] = hash
		}
	}
	maps.Copy(refs, peeled)
	return refs
}
