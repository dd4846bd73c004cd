//go:build amd64 || arm64

package tsc

import (
	"context"
	"time"
)

// A Rate is an interval, in ticks a second, in which the rate of the counter lies: by the kernel's monotonic
// clock, which may itself be off by up to 0.05 % while it is disciplined.
type Rate struct{ Low, High float64 }

// A moment is a reading of the counter between two of the clock, and so a time up to an uncertainty that is
// known: however long the thread is held up in between.
type moment struct {
	before, after time.Time
	ticks         uint64
}

// now takes the moment that is known best of a few.
func now() moment {
	var best moment
	for i := range 50 {
		m := moment{before: time.Now()}
		m.ticks = Ordered()
		m.after = time.Now()
		if i == 0 || m.after.Sub(m.before) < best.after.Sub(best.before) {
			best = m
		}
	}
	return best
}

// Calibrate measures the rate of the counter against the kernel's monotonic clock for about as long as it is
// told. The longer, the better it is known: 100 ms give about one part in a million where nothing else runs.
func Calibrate(ctx context.Context, long time.Duration) (Rate, error) {
	start := now()
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return Rate{}, ctx.Err()
	}
	end := now()
	ticks := float64(end.ticks - start.ticks)
	return Rate{
		Low:  ticks / end.after.Sub(start.before).Seconds(),
		High: ticks / max(end.before.Sub(start.after), 1).Seconds(),
	}, nil
}
