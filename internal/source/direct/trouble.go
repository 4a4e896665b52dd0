package direct

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/source/direct/cage"
	"github.com/goweir/weir/internal/source/direct/origin"
)

// maxReason bounds what is shown of the words of the go command, in bytes.
const maxReason = 300

// explain returns the error for a go command that failed with a text about a
// module. Only what proves absence becomes ErrNotFound: the go command's own
// judgement of what it has read, or the word of the host that there is no such
// repository. All else is trouble, and so is what is not known.
//
// Source: cmd/go/internal/modfetch, coderepo.go and codehost/git.go.
func (s *Source) explain(ctx context.Context, c *cage.Cage, r origin.Repository, text string) error {
	if err := c.Refused(); err != nil {
		return err
	}
	reason := s.clean(c, text)
	if containsAny(text, machineTrouble) {
		return &artifact.Error{Class: artifact.ErrUnavailable, Reason: "this proxy is at its limits and cannot fetch " + r.Prefix, Hint: "try again later", Err: errors.New(reason)}
	}
	if !failedCommand.MatchString(text) {
		return judgement(reason)
	}
	host := r.Location.Hostname()
	switch {
	case containsAny(text, needsCredential):
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: reason, Hint: credential.Hint(host)}
	case strings.Contains(text, "no secure protocol found"):
		return s.probeGuessed(ctx, c, r)
	case containsAny(text, noRepository):
		return artifact.NotFound("%s", reason)
	}
	return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: reason}
}

// failedCommand matches the text of the go command about a command of version
// control that failed, up to what that command said itself.
var failedCommand = regexp.MustCompile(`(?s)(^|[ \n])(git|hg|ssh) [^\n]*: (exit status \d+|signal: [a-z ]+)(:\s*|$)|no secure protocol found`)

// judgement returns the error for what the go command thinks of what it read.
func judgement(reason string) error {
	switch {
	case absent.MatchString(reason):
		return artifact.NotFound("%s", reason)
	case strings.Contains(reason, "requires go >= "):
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: reason, Hint: "the operator of this proxy must update its go command"}
	}
	return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: reason}
}

// absent matches the go command's judgements that there is no such module or
// version, or none that can be one.
var absent = regexp.MustCompile(`unknown revision|no matching versions for query|no commits|invalid (pseudo-)?version: |missing \S*go\.mod` +
	`| cannot contain module |mismatched repo: |invalid version control suffix|invalid \S+ import path| module path|create zip|zip file too large`)

// machineTrouble are parts of what the system says when it is at its limits.
var machineTrouble = []string{"no space left", "disk quota exceeded", "read-only file system", "input/output error", "too many open files", "cannot allocate memory", "Resource temporarily unavailable"}

// needsCredential are parts of what version control says when it is not let in.
var needsCredential = []string{
	"could not read Username", "could not read Password", "terminal prompts disabled", "Authentication failed", "Permission denied", "Access denied",
	"access denied", "Invalid username or", "authorization failed", "Host key verification failed", "error: 401", "error: 403",
	"Permission to ", "not authorized",
}

// noRepository are parts of what version control says when a host has told it
// that there is no such repository.
var noRepository = []string{
	"' not found", "Repository not found", "repository not found", "does not appear to be a git repository", "could not be found", "HTTP Error 404",
}

// brokenClone are parts of what git says when a clone on our disk is broken, by
// a crash of the machine for example.
var brokenClone = []string{
	".lock': File exists", "loose object ", "object file ", "bad object ", "bad tree object", "unable to read tree", "missing blob", "missing tree",
	"not a git repository", "index file ", "packfile ", "pack has ", "did not send all necessary objects", "has wrong content", "unable to read sha1 file",
	"shallow file has changed", "bad config", "key does not contain a section", "remote origin already exists", "'origin' does not appear",
	"transport 'file' not allowed", // which is how git understands "origin" when its configuration is gone
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// clean makes a text of the go command fit to be shown: without secrets, paths
// of this machine, and the command line of what failed.
func (s *Source) clean(c *cage.Cage, text string) string {
	text = c.Redact(failedCommand.ReplaceAllString(text, " "))
	text = strings.ReplaceAll(text, s.o.Dir, "")
	return artifact.Clean(strings.TrimPrefix(text, "go: "), maxReason)
}

// probeGuessed returns why the go command has found no repository by any scheme,
// which it does not tell.
func (s *Source) probeGuessed(ctx context.Context, c *cage.Cage, r origin.Repository) error {
	if c.OverSSH() {
		return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "the repository of " + r.Prefix + " cannot be read by ssh", Hint: credential.Hint(r.Location.Hostname())}
	}
	if err := s.origin.Probe(ctx, r); err != nil {
		return err
	}
	return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: "the repository of " + r.Prefix + " cannot be read"}
}
