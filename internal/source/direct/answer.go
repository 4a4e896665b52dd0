package direct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/source/direct/cage"
	"github.com/goweir/weir/internal/source/direct/clones"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// arguments returns those of the go command that brings an artifact.
// Neither a module path nor a version that [artifact.Parse] lets pass begins
// with a dash.
func arguments(n artifact.Name) []string {
	switch n.Kind {
	case artifact.List:
		return []string{"list", "-m", "-e", "-json", "-versions", "-retracted", "--", n.Module}
	case artifact.Latest:
		return []string{"list", "-m", "-e", "-json", "--", n.Module + "@latest"}
	case artifact.Zip:
		return []string{"mod", "download", "-json", "--", n.Module + "@" + n.Version}
	}
	return []string{"list", "-m", "-e", "-json", "--", n.Module + "@" + n.Version}
}

// ask lets the go command answer.
func (s *Source) ask(ctx context.Context, k *clones.Clone, c *cage.Cage, r origin.Repository, args []string) (answer, error) {
	stdout, stderr, err := c.Run(ctx, args...)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return answer{}, err
	}
	a, problem := parseAnswer(stdout, stderr, err)
	switch {
	case problem == "" && r.VCS == "hg": // whose failures the go command conceals
		return a, c.Refused()
	case problem == "":
		return a, nil
	case containsAny(problem, brokenClone):
		k.GiveUp()
		return answer{}, fmt.Errorf("%w: %w", errBrokenClone, s.explain(ctx, c, r, problem))
	}
	return answer{}, s.explain(ctx, c, r, problem)
}

// An answer is what the go command says of a module, in JSON.
type answer struct {
	Version  string
	Versions []string
	Error    json.RawMessage
}

// parseAnswer returns the answer, or the problem that the go command has.
func parseAnswer(stdout, stderr string, err error) (a answer, problem string) {
	parseErr := json.Unmarshal([]byte(stdout), &a)
	switch {
	case parseErr == nil && len(a.Error) > 0:
		return a, a.problem()
	case parseErr == nil && err == nil:
		return a, ""
	case strings.TrimSpace(stderr) != "":
		return a, stderr
	}
	return a, "the go command failed without a word"
}

// problem returns the text of the error: "go mod download" has it as it is,
// "go list" within an object.
func (a answer) problem() string {
	var text string
	if json.Unmarshal(a.Error, &text) == nil {
		return text
	}
	var object struct{ Err string }
	json.Unmarshal(a.Error, &object) // what is neither shows nothing
	return object.Err
}

// list returns the version list.
func (a answer) list() []byte {
	var b strings.Builder
	for _, v := range a.Versions {
		b.WriteString(v + "\n")
	}
	return []byte(b.String())
}
