//go:build !race

package e2e

const (
	floodFrames = 50_000   // of one flood
	floodNames  = 50_000   // that do not exist, asked for one after the other
	memoryScale = 1        // times as much memory as the product takes
	bigSize     = 70 << 20 // of a large zip, in bytes
	wide        = 15       // modules of one download
	crashes     = 12       // of one server, each at another place
	patience    = "1s"     // of what is told to be impatient
	slowness    = 2        // times as long as a machine that is idle everything may take
)
