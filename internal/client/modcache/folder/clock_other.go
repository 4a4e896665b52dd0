//go:build !linux && !darwin

package folder

// clockOf is the clock that all systems have: whether others note when a file is read
// depends on settings that a program does not see.
func clockOf(string) clock { return byChange }

// noAccessTime is no flag.
const noAccessTime = 0
