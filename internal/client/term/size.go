package term

import "strconv"

// Size is a number of bytes for people, as in 1.5 GB.
func Size[N int64 | uint64 | float64](bytes N) string {
	value, unit := float64(bytes), 0
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if unit == 0 || value >= 9.95 {
		return strconv.FormatFloat(value, 'f', 0, 64) + " " + units[unit]
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + units[unit]
}

var units = [...]string{"B", "kB", "MB", "GB", "TB"}
