//go:build !race

package e2e

const (
	floodScale  = 5
	memoryScale = 1
)
