package source

import "time"

// Patience is how long the silence of one who has been asked is borne until
// the next one is asked as well.
type Patience struct {
	// Hedge is when the next one is asked for the sake of speed, provided that
	// Spend allows it; zero: never.
	Hedge time.Duration
	Spend func() bool
	// Limit is when the next one is asked in any case, and when the silent
	// one is told so, see [OnSlow]; zero: never.
	Limit time.Duration
}
