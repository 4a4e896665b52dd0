package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// ProfilePrefix is the path that profiles of the running process are below, in the
// format of "go tool pprof" and at the names it knows.
const ProfilePrefix = "/-/debug/pprof/"

// How long a profile of the processor's time takes, unless asked otherwise, and at most.
const (
	usualProfile   = 30 * time.Second
	longestProfile = 2 * time.Minute
)

// kept are the profiles that the runtime has anyway.
var kept = []string{"allocs", "goroutine", "heap"}

// Profiles returns the handler of all paths below ProfilePrefix. What it answers tells
// what the process does, and of its memory the sizes, not the contents. Nobody waits for a
// profile when ctx has ended, which is the end of the server.
func Profiles(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(ProfilePrefix, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, Problem{"there is no such profile; there are profile, " + strings.Join(kept, ", ")})
	})
	mux.HandleFunc(ProfilePrefix+"profile", func(w http.ResponseWriter, r *http.Request) { profileProcessor(ctx, w, r) })
	for _, name := range kept {
		mux.HandleFunc(ProfilePrefix+name, func(w http.ResponseWriter, _ *http.Request) {
			var data bytes.Buffer
			if err := pprof.Lookup(name).WriteTo(&data, 0); err != nil {
				answer(w, http.StatusInternalServerError, Problem{err.Error()})
				return
			}
			sendProfile(w, name, data.Bytes())
		})
	}
	return readOnly(mux)
}

// profileProcessor watches for some seconds what the processors are busy with.
func profileProcessor(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	length, err := profileLength(r.URL.Query().Get("seconds"))
	if err != nil {
		answer(w, http.StatusBadRequest, Problem{err.Error()})
		return
	}
	if r.Method == http.MethodHead {
		sendProfile(w, "profile", nil)
		return
	}
	asked, leave := context.WithCancel(r.Context())
	defer leave()
	defer context.AfterFunc(ctx, leave)()
	data, err := watchProcessor(asked, length)
	switch {
	case errors.Is(err, errWatched):
		answer(w, http.StatusConflict, Problem{err.Error()})
	case err != nil: // a client that has left hears nothing
		answer(w, http.StatusServiceUnavailable, Problem{"the server is ending"})
	default:
		sendProfile(w, "profile", data)
	}
}

func profileLength(seconds string) (time.Duration, error) {
	if seconds == "" {
		return usualProfile, nil
	}
	n, err := strconv.ParseFloat(seconds, 64)
	if length := time.Duration(n * float64(time.Second)); err == nil && n > 0 && n <= longestProfile.Seconds() {
		return length, nil
	}
	return 0, fmt.Errorf("seconds is %q; it must be a number above 0 and at most %v", seconds, longestProfile.Seconds())
}

// errWatched: the runtime makes one such profile at a time.
var errWatched = errors.New("somebody else is making a profile of the processor's time now; try again when it is done")

// watchProcessor returns a profile of the given length, or the cause for which ctx has
// ended before.
func watchProcessor(ctx context.Context, length time.Duration) ([]byte, error) {
	var data bytes.Buffer
	if err := pprof.StartCPUProfile(&data); err != nil {
		return nil, errWatched
	}
	enough := time.NewTimer(length)
	defer enough.Stop()
	select {
	case <-enough.C:
	case <-ctx.Done():
	}
	pprof.StopCPUProfile() // which writes it
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return data.Bytes(), nil
}

func sendProfile(w http.ResponseWriter, name string, data []byte) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.pprof"`)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(data) // a client that has left gets nothing
}
