package share

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// parcel counts those it is for.
type parcel struct{ takers chan int }

func (p parcel) share(takers int) { p.takers <- takers }

func TestEqualWorkIsDoneOnceForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var going sync.WaitGroup
		s := NewFlights(t.Context(), &going, parcel.share)
		p := parcel{make(chan int, 1)}
		works := 0
		for range 5 {
			go func() {
				if _, err := s.Join(t.Context(), "k", func(context.Context) (parcel, error) {
					works++
					time.Sleep(time.Second)
					return p, nil
				}); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		going.Wait()
		if takers := <-p.takers; works != 1 || takers != 5 {
			t.Errorf("%d works for %d takers", works, takers)
		}
		if len(s.flying) != 0 {
			t.Error("a flight never ends")
		}
	})
}

func TestWorkEndsWhenAllHaveLeftAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var going sync.WaitGroup
		s := NewFlights(t.Context(), &going, parcel.share)
		ended := make(chan time.Duration, 1)
		begin := time.Now()
		work := func(ctx context.Context) (parcel, error) {
			<-ctx.Done()
			ended <- time.Since(begin)
			return parcel{}, ctx.Err()
		}
		for _, d := range []time.Duration{time.Second, 3 * time.Second} {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), d)
				defer cancel()
				if _, err := s.Join(ctx, "k", work); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			}()
		}
		if d := <-ended; d != 3*time.Second {
			t.Errorf("the work ended after %v", d)
		}
		going.Wait()
	})
}

func TestWhoComesAfterAllHaveLeftBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var going sync.WaitGroup
		s := NewFlights(t.Context(), &going, parcel.share)
		stubborn := make(chan bool)
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan bool)
		go func() {
			defer close(cancelled)
			s.Join(ctx, "k", func(context.Context) (parcel, error) { <-stubborn; return parcel{make(chan int, 1)}, nil })
		}()
		synctest.Wait()
		cancel()
		<-cancelled
		p := parcel{make(chan int, 1)}
		if got, err := s.Join(t.Context(), "k", func(context.Context) (parcel, error) { return p, nil }); err != nil || got != p {
			t.Errorf("got %v, %v", got, err)
		}
		close(stubborn)
		going.Wait()
	})
}
