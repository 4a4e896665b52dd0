//go:build !unix

package command

import "os/exec"

// lead does nothing: there are no process groups.
func lead(*exec.Cmd) {}

// killGroup kills a command; children end when they notice.
func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
