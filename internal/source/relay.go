package source

import (
	"context"
	"errors"
	"time"
)

// ErrOvertaken is the cause of the end of a context of a [Relay] that belonged
// to one who was still silent when another had a good answer.
var ErrOvertaken = errors.New("another one answered first")

// A Relay asks several for the same thing, in order: the next one when the one
// before it has failed, and also, beside it, when that has been silent for too
// long. The first good answer wins. Those who are still silent then have their
// contexts cancelled and are waited for.
type Relay[T any] struct {
	// Ask asks number i. What it returns may depend on its context.
	Ask func(ctx context.Context, i int) (T, error)
	// Failed hears of an error of Ask, and says whether the next one may be
	// asked because of it. It is called by Run itself, one call at a time.
	Failed func(i int, err error) (goOn bool)
	// Patience is how long the silence of i is borne; nil: as long as it lasts.
	Patience func(i int) Patience
	// Discard gives back a good answer that came too late; nil: nothing to do.
	Discard func(T)
}

// Run asks numbers 0 to n-1 and returns the number of the winner with its
// answer, or -1 when there is none. The context that the winner was given lives
// until release is called, if ctx does. A context that has ended lets no further
// one be asked.
func (r *Relay[T]) Run(ctx context.Context, n int) (winner int, answer T, release context.CancelFunc) {
	run := &relayRun[T]{Relay: r, ctx: ctx, n: n}
	for wanted := true; ; {
		var over bool
		switch {
		case wanted && run.asked < n && ctx.Err() == nil:
			wanted, over = run.askNext()
		case run.running > 0:
			wanted, over = run.await()
		default:
			return -1, answer, func() {}
		}
		if over {
			return run.end()
		}
	}
}

// relayRun is one run of a Relay. All but Ask happens in one goroutine.
type relayRun[T any] struct {
	*Relay[T]
	ctx     context.Context
	n       int
	asked   int         // how many have been asked
	running int         // how many of them are still silent
	runners []runner[T] // those asked in goroutines
	events  chan event[T]

	winner  int
	answer  T
	release context.CancelFunc
}

// A runner is one who is asked while others may be, too.
type runner[T any] struct {
	number   int
	patience Patience
	begun    time.Time
	timer    *time.Timer // nil: silence is borne as long as it lasts
	silence  *silence
	cancel   context.CancelCauseFunc
	done     bool
}

// An event is an answer of a runner, or that its timer has gone off.
type event[T any] struct {
	runner int // its index
	what   eventKind
	answer T
	err    error
}

type eventKind int

const (
	answered eventKind = iota
	hedgeDue
	limitReached
)

// askNext asks the next one. When nobody else is running and its silence is
// borne, that needs no goroutine. It reports whether yet another one is to be
// asked, and whether the run is over.
func (r *relayRun[T]) askNext() (wanted, over bool) {
	i := r.asked
	r.asked++
	var p Patience
	if r.Patience != nil && i < r.n-1 {
		p = r.Patience(i)
	}
	if r.running > 0 || !p.endless() {
		r.start(i, p)
		return false, false
	}
	answer, err := r.Ask(r.ctx, i)
	if err != nil {
		return r.Failed(i, err), false
	}
	r.winner, r.answer, r.release = i, answer, func() {}
	return false, true
}

// start asks number i in a goroutine.
func (r *relayRun[T]) start(i int, p Patience) {
	if r.events == nil {
		r.events = make(chan event[T], 3*r.n) // room for all there can be, so that no sender waits
	}
	at := len(r.runners)
	ctx, cancel := context.WithCancelCause(r.ctx)
	s := runner[T]{number: i, patience: p, begun: time.Now(), cancel: cancel}
	if p.Limit > 0 {
		s.silence = &silence{}
		ctx = context.WithValue(ctx, silenceKey{}, s.silence)
	}
	switch {
	case p.Hedge > 0:
		s.timer = r.after(p.Hedge, at, hedgeDue)
	case p.Limit > 0:
		s.timer = r.after(p.Limit, at, limitReached)
	}
	r.runners = append(r.runners, s)
	r.running++
	go func() {
		answer, err := r.Ask(ctx, i)
		r.events <- event[T]{runner: at, what: answered, answer: answer, err: err}
	}()
}

func (r *relayRun[T]) after(d time.Duration, runner int, what eventKind) *time.Timer {
	return time.AfterFunc(d, func() { r.events <- event[T]{runner: runner, what: what} })
}

// await waits for the next event. It reports whether another one is to be asked
// because of it, which is the case for the latest only, and whether the run is
// over.
func (r *relayRun[T]) await() (wanted, over bool) {
	e := <-r.events
	s := &r.runners[e.runner]
	latest := s.number == r.asked-1
	switch {
	case e.what == answered:
		r.finished(s)
		if e.err != nil {
			s.cancel(nil)
			return r.Failed(s.number, e.err) && latest, false
		}
		cancel := s.cancel
		r.winner, r.answer, r.release = s.number, e.answer, func() { cancel(nil) }
		return false, true
	case s.done:
		return false, false
	case e.what == limitReached:
		s.silence.tooLong()
		return latest, false
	}
	if s.patience.Limit > 0 {
		s.timer = r.after(s.patience.Limit-time.Since(s.begun), e.runner, limitReached)
	}
	return latest && r.asked < r.n && s.patience.Spend(), false
}

// finished notes that a runner has answered.
func (r *relayRun[T]) finished(s *runner[T]) {
	s.done = true
	r.running--
	if s.timer != nil {
		s.timer.Stop()
	}
}

// end stops those who are still silent, waits for them and returns the result.
func (r *relayRun[T]) end() (winner int, answer T, release context.CancelFunc) {
	for i := range r.runners {
		if s := &r.runners[i]; !s.done {
			s.cancel(ErrOvertaken)
		}
	}
	for r.running > 0 {
		e := <-r.events
		if e.what != answered {
			continue
		}
		r.finished(&r.runners[e.runner])
		if e.err == nil && r.Discard != nil {
			r.Discard(e.answer)
		}
	}
	return r.winner, r.answer, r.release
}
