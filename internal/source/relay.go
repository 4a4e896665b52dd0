package source

import (
	"context"
	"errors"
	"sync"
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
	// asked because of it. There is one call at a time, while Run runs.
	Failed func(i int, err error) (goOn bool)
	// Patience is how long the silence of i is borne; nil: as long as it lasts.
	// It is not asked about the last one.
	Patience func(i int) Patience
	// Discard gives back a good answer that came too late; nil: nothing to do.
	Discard func(T)
}

// Run asks numbers 0 to n-1 and returns the number of the winner with its
// answer, or -1 when there is none. The context that the winner was given lives
// until release is called, if ctx does. A context that has ended lets no further
// one be asked.
func (r *Relay[T]) Run(ctx context.Context, n int) (winner int, answer T, release context.CancelFunc) {
	run := &relayRun[T]{Relay: r, ctx: ctx, n: n, winner: -1, release: func() {}}
	for wanted := true; run.mayAsk(wanted); {
		wanted = run.askHere()
	}
	return run.winner, run.answer, run.release
}

// relayRun is one run of a Relay. As long as nobody is silent for too long, it is
// the goroutine of the caller that asks one after the other. As soon as somebody
// is, that goroutine becomes one of several runners, and another one takes over
// all else until the end.
type relayRun[T any] struct {
	*Relay[T]
	ctx     context.Context
	n       int
	asked   int         // how many have been asked
	running int         // how many of the runners are still silent
	runners []runner[T] // those whose silence is not borne for ever, and who came after them

	crowd sync.Once
	event chan event[T]
	over  chan struct{} // closed at the end of a run with several runners

	winner  int // -1: none as yet
	answer  T
	release context.CancelFunc
}

// A runner is one who is asked while others may be, too.
type runner[T any] struct {
	number   int
	patience Patience
	begun    time.Time
	timer    *time.Timer // nil: its silence is borne from here on
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

func (r *relayRun[T]) mayAsk(wanted bool) bool {
	return wanted && r.winner < 0 && r.asked < r.n && r.ctx.Err() == nil
}

// next returns the number of the one to be asked next, and how long its silence
// is borne.
func (r *relayRun[T]) next() (i int, p Patience) {
	i = r.asked
	r.asked++
	if r.Patience != nil && i < r.n-1 {
		p = r.Patience(i)
	}
	return i, p
}

// askHere asks the next one in this goroutine and reports whether yet another one
// is to be asked in it.
func (r *relayRun[T]) askHere() (wanted bool) {
	i, p := r.next()
	if p.endless() {
		answer, err := r.Ask(r.ctx, i)
		return r.judge(i, answer, err, nil)
	}
	at, ctx := r.add(i, p)
	first := event[T]{runner: at, what: limitReached}
	wait := p.Limit
	if p.Hedge > 0 {
		first.what, wait = hedgeDue, p.Hedge
	}
	timer := time.AfterFunc(wait, func() { r.takeOver(first) })
	answer, err := r.Ask(ctx, i)
	if timer.Stop() {
		r.finished(at)
		return r.judge(i, answer, err, r.runners[at].cancel)
	}
	r.gather()
	r.event <- event[T]{runner: at, answer: answer, err: err}
	<-r.over
	return false
}

// judge acts on the answer of number i, and reports whether another one is to be
// asked because of it. cancel ends the context that it was given; nil: there is
// none of its own.
func (r *relayRun[T]) judge(i int, answer T, err error, cancel context.CancelCauseFunc) (wanted bool) {
	if err == nil {
		r.winner, r.answer = i, answer
		if cancel != nil {
			r.release = func() { cancel(nil) }
		}
		return false
	}
	if cancel != nil {
		cancel(nil)
	}
	return r.Failed(i, err)
}

// add adds a runner and returns its index and its context.
func (r *relayRun[T]) add(number int, p Patience) (at int, ctx context.Context) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	s := runner[T]{number: number, patience: p, begun: time.Now(), cancel: cancel}
	if p.Limit > 0 {
		s.silence = &silence{Context: ctx}
		ctx = s.silence
	}
	r.runners = append(r.runners, s)
	r.running++
	return len(r.runners) - 1, ctx
}

// finished notes that a runner has answered.
func (r *relayRun[T]) finished(at int) {
	s := &r.runners[at]
	s.done = true
	r.running--
	if s.timer != nil {
		s.timer.Stop()
	}
}

// gather makes what several runners need.
func (r *relayRun[T]) gather() {
	r.crowd.Do(func() {
		r.event = make(chan event[T], 3*r.n) // room for all there can be, so that nobody waits
		r.over = make(chan struct{})
	})
}

// takeOver does all that is to be done once a first runner has been silent for
// too long.
func (r *relayRun[T]) takeOver(first event[T]) {
	r.gather()
	defer close(r.over)
	for wanted := r.handle(first); r.winner < 0; {
		switch {
		case r.mayAsk(wanted):
			r.start(r.next())
			wanted = false
		case r.running > 0:
			wanted = r.handle(<-r.event)
		default:
			return
		}
	}
	r.end()
}

// start asks number i in a goroutine of its own.
func (r *relayRun[T]) start(i int, p Patience) {
	at, ctx := r.add(i, p)
	switch {
	case p.Hedge > 0:
		r.alarm(at, p.Hedge, hedgeDue)
	case p.Limit > 0:
		r.alarm(at, p.Limit, limitReached)
	}
	go func() {
		answer, err := r.Ask(ctx, i)
		r.event <- event[T]{runner: at, answer: answer, err: err}
	}()
}

func (r *relayRun[T]) alarm(at int, wait time.Duration, what eventKind) {
	r.runners[at].timer = time.AfterFunc(wait, func() { r.event <- event[T]{runner: at, what: what} })
}

// handle acts on an event and reports whether another one is to be asked because
// of it, which is so for the one asked last only.
func (r *relayRun[T]) handle(e event[T]) (wanted bool) {
	s := &r.runners[e.runner]
	latest := s.number == r.asked-1
	switch {
	case e.what == answered:
		r.finished(e.runner)
		return r.judge(s.number, e.answer, e.err, s.cancel) && latest
	case s.done:
		return false
	case e.what == limitReached:
		s.silence.tooLong()
		return latest
	}
	if s.patience.Limit > 0 {
		r.alarm(e.runner, s.patience.Limit-time.Since(s.begun), limitReached)
	}
	return s.patience.Spend() // it is the latest: nothing else lets another one be asked before
}

// end stops those who are still silent and waits for them.
func (r *relayRun[T]) end() {
	for i := range r.runners {
		if s := &r.runners[i]; !s.done {
			s.cancel(ErrOvertaken)
		}
	}
	for r.running > 0 {
		e := <-r.event
		if e.what != answered {
			continue
		}
		r.finished(e.runner)
		if e.err == nil && r.Discard != nil {
			r.Discard(e.answer)
		}
	}
}
