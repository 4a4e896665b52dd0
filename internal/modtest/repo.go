package modtest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Repo is a repository of a Forge.
type Repo struct {
	Dir     string // a bare repository
	commits int
}

// A Commit is one commit to be made.
type Commit struct {
	Branch string            // default main
	From   string            // what a new branch begins at; empty: at nothing, or where the branch is
	Files  map[string]string // by path; those of the commit before stay
	Modes  map[string]string // of git, where that is not 100644: for a commit of a submodule the text is its hash
	Remove []string          // paths
	Tags   []string          // lightweight; those that end in "^" are annotated, without it
	Time   time.Time         // zero: some time in 2024, a minute after the commit before
}

// Repo makes a repository at host/path, with commits.
func (f *Forge) Repo(hostPath string, commits ...Commit) (*Repo, error) {
	r := &Repo{Dir: filepath.Join(f.Dir, filepath.FromSlash(hostPath))}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := r.Git("init", "-q", "--bare", "--initial-branch=main"); err != nil {
		return nil, err
	}
	return r, r.Commit(commits...)
}

// Git runs git in the repository and returns what it says.
func (r *Repo) Git(args ...string) (string, error) { return r.git("", args...) }

func (r *Repo) git(stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_DIR="+r.Dir)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Commit adds commits. Tags and branches that exist are moved.
func (r *Repo) Commit(commits ...Commit) error {
	if len(commits) == 0 {
		return nil
	}
	var b bytes.Buffer
	seen := map[string]bool{}
	for i, c := range commits {
		if c.Branch == "" {
			c.Branch = "main"
		}
		if c.From == "" && !seen[c.Branch] && r.has(c.Branch) {
			c.From = "refs/heads/" + c.Branch + "^0"
		}
		seen[c.Branch] = true
		r.describe(&b, c, i+1)
	}
	b.WriteString("done\n")
	_, err := r.git(b.String(), "fast-import", "--quiet", "--force", "--done")
	return err
}

// describe writes a commit as git fast-import reads it.
func (r *Repo) describe(b *bytes.Buffer, c Commit, mark int) {
	r.commits++
	if c.Time.IsZero() {
		c.Time = time.Date(2024, 2, 3, 4, r.commits, 5, 0, time.UTC)
	}
	who := fmt.Sprintf("Gopher <gopher@example.com> %d +0000", c.Time.Unix())
	fmt.Fprintf(b, "commit refs/heads/%s\nmark :%d\ncommitter %s\ndata 6\nchange\n", c.Branch, mark, who)
	if c.From != "" {
		fmt.Fprintf(b, "from %s\n", c.From)
	}
	for _, name := range c.Remove {
		fmt.Fprintf(b, "D %s\n", name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		describeFile(b, c.Modes[name], name, c.Files[name])
	}
	b.WriteByte('\n')
	for _, tag := range c.Tags {
		if name, annotated := strings.CutSuffix(tag, "^"); annotated {
			fmt.Fprintf(b, "tag %s\nfrom :%d\ntagger %s\ndata 3\ntag\n", name, mark, who)
		} else {
			fmt.Fprintf(b, "reset refs/tags/%s\nfrom :%d\n\n", tag, mark)
		}
	}
}

func (r *Repo) has(branch string) bool {
	_, err := r.Git("rev-parse", "-q", "--verify", "refs/heads/"+branch)
	return err == nil
}

func describeFile(b *bytes.Buffer, mode, name, text string) {
	switch mode {
	case "160000":
		fmt.Fprintf(b, "M %s %s %q\n", mode, text, name)
	case "":
		fmt.Fprintf(b, "M 100644 inline %q\ndata %d\n%s\n", name, len(text), text)
	default:
		fmt.Fprintf(b, "M %s inline %q\ndata %d\n%s\n", mode, name, len(text), text)
	}
}
