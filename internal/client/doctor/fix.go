package doctor

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/goweir/weir/internal/client/gocmd"
)

// A Fix is a command that mends something.
type Fix struct {
	Command string `json:"command"` // as one types it
	Safe    bool   `json:"safe"`    // Apply does it; others need a person
	apply   func(ctx context.Context) error
}

// Apply does what the command would do. Only safe fixes can be applied.
func (f Fix) Apply(ctx context.Context) error {
	if !f.Safe {
		return fmt.Errorf("%q is left to you", f.Command)
	}
	if err := f.apply(ctx); err != nil {
		return fmt.Errorf("%s: %w", f.Command, err)
	}
	return nil
}

// byHand is a fix that only a person can do.
func byHand(command string) Fix { return Fix{Command: command} }

// goEnv is go env with arguments.
func goEnv(args ...string) Fix {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = quote(arg)
	}
	return Fix{Command: "go env " + strings.Join(quoted, " "), Safe: true, apply: func(ctx context.Context) error {
		// Another version of Go is not needed for it, and may be what is wrong.
		_, err := gocmd.Command{Env: []string{"GOTOOLCHAIN=local"}}.Run(ctx, append([]string{"env"}, args...)...)
		return err
	}}
}

// makeFolder is mkdir -p.
func makeFolder(name string) Fix {
	return Fix{Command: "mkdir -p " + quote(name), Safe: true, apply: func(context.Context) error { return os.MkdirAll(name, 0o777) }}
}

// keepPrivate is chmod 600.
func keepPrivate(name string) Fix {
	return Fix{Command: "chmod 600 " + quote(name), Safe: true, apply: func(context.Context) error { return os.Chmod(name, 0o600) }}
}

// quote makes a word of an argument as a POSIX shell reads it.
func quote(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=./:,@+%", r)
	}
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool { return !plain(r) }) < 0 {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
