//go:build !race

package e2e

const (
	floodScale  = 5
	memoryScale = 1
	patience    = "1s" // of what is told to be impatient
	slowness    = 2    // times as long as a machine that is idle everything may take
)
