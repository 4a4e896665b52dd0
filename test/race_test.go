//go:build race

package e2e

// The race detector makes everything ten times slower, and takes memory of its
// own: what is large, long or often is less so with it.
const (
	floodFrames = 20_000
	floodNames  = 10_000
	memoryScale = 4
	bigSize     = 21 << 20
	wide        = 6
	crashes     = 6
	patience    = "3s" // of what is told to be impatient
	slowness    = 4    // times as long as a machine that is idle everything may take
)
