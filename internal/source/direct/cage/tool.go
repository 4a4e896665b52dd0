package cage

import (
	"context"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/command"
)

// oldestGo is the first release without known ways to make it accept checksums
// that are not those of a checksum database.
const oldestGo = "go1.26.6"

// findCommands looks for the go command and version control.
func (k *Keeper) findCommands() error {
	for _, vcs := range k.o.VCS {
		if vcs != "git" && vcs != "hg" {
			return fmt.Errorf("version control %q is not supported, only git and hg are", vcs)
		}
		if _, err := exec.LookPath(vcs); err != nil {
			return fmt.Errorf("the command %s is not installed: %w", vcs, err)
		}
	}
	tool, err := findGo(k.o.Go)
	if err != nil {
		return err
	}
	k.tool = tool
	k.path = filepath.Dir(tool) + string(filepath.ListSeparator) + os.Getenv("PATH")
	if k.git, err = exec.LookPath(filepath.Join(filepath.Dir(tool), "git")); err != nil {
		k.git = "git"
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	home := os.TempDir()
	out, _, err := command.Run(ctx, command.Command{
		Path: tool, Args: []string{"env", "GOVERSION"}, Dir: home,
		Env: []string{"PATH=" + k.path, "HOME=" + home, "GOTOOLCHAIN=local", "GOENV=off"},
	})
	if err != nil {
		return fmt.Errorf("%s does not work: %w", tool, err)
	}
	is := goVersion(out)
	if version.Compare(is, oldestGo) < 0 {
		return fmt.Errorf("%s is %s; at least %s is needed", tool, artifact.Clean(out, 80), oldestGo)
	}
	return nil
}

// goVersion returns the word in the go command's version that is one; releases
// have it first, and those that are built from source after another.
func goVersion(text string) string {
	for word := range strings.FieldsSeq(text) {
		if version.IsValid(word) {
			return word
		}
	}
	return ""
}

func findGo(name string) (string, error) {
	if name == "" {
		name = "go"
	}
	tool, err := exec.LookPath(name)
	if err != nil && name == "go" {
		tool, err = exec.LookPath(filepath.Join(os.Getenv("GOROOT"), "bin", "go"))
	}
	if err != nil {
		return "", fmt.Errorf("the go command is not installed: %w", err)
	}
	return filepath.Abs(tool)
}
