package disk

import "sync/atomic"

// The points of a Put at which tests kill the process.
const (
	pointCreated       = "after create"
	pointMidWrite      = "mid-write"
	pointBeforeSync    = "before fsync"
	pointAfterSync     = "after fsync"
	pointBeforePublish = "before publish"
	pointAfterPublish  = "after publish"
	pointBeforeDirSync = "before dir fsync"
	pointDone          = "after"
)

// onPoint is called at each point; nil but in tests.
var onPoint atomic.Pointer[func(point string)]

func reach(point string) {
	if f := onPoint.Load(); f != nil {
		(*f)(point)
	}
}
