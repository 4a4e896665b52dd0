//go:build race

package e2e

// The race detector makes everything ten times slower, and takes memory of its
// own: floods are smaller with it.
const (
	floodScale  = 1
	memoryScale = 4
	patience    = "3s" // of what is told to be impatient
	slowness    = 4    // times as long as a machine that is idle everything may take
)
