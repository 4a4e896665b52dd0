package check

import (
	"context"
	"fmt"
	"strings"
)

// A Fix is a command that mends something.
type Fix struct {
	Command string `json:"command"` // as one types it
	Safe    bool   `json:"safe"`    // Apply does it; others need a person
	apply   func(ctx context.Context) error
}

// ByHand is a fix that only a person can do.
func ByHand(command string) Fix { return Fix{Command: command} }

// Safe is a fix that can be applied: apply does what the command would do.
func Safe(command string, apply func(ctx context.Context) error) Fix {
	return Fix{Command: command, Safe: true, apply: apply}
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

// Quote makes a word of an argument as a POSIX shell reads it.
func Quote(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=./:,@+%", r)
	}
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool { return !plain(r) }) < 0 {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
