package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// reportsOf follows a schedule in a bubble of its own time and returns when reports were made. end, where it
// is not 0, cancels with a cause; each report takes as long as cost says.
func reportsOf(t *testing.T, s schedule, end time.Duration, cause error, cost time.Duration) (at []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		began := time.Now()
		if end > 0 {
			time.AfterFunc(end, func() { cancel(cause) })
		}
		err := s.follow(ctx, func() error {
			at = append(at, time.Since(began))
			time.Sleep(cost)
			return nil
		})
		if err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	})
	return at
}

func TestReportsComeAsScheduled(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		s     schedule
		end   time.Duration
		cause error
		cost  time.Duration
		want  []time.Duration
	}{
		{"count", schedule{every: s, count: 3}, 0, nil, 0, []time.Duration{s, 2 * s, 3 * s}},
		{"duration alone", schedule{length: 5 * s}, 0, nil, 0, []time.Duration{5 * s}},
		{"duration cuts the last interval", schedule{every: 2 * s, length: 5 * s}, 0, nil, 0, []time.Duration{2 * s, 4 * s, 5 * s}},
		{"duration of whole intervals", schedule{every: s, length: 2 * s}, 0, nil, 0, []time.Duration{s, 2 * s}},
		{"count before duration", schedule{every: s, count: 1, length: 9 * s}, 0, nil, 0, []time.Duration{s}},
		{"signal", schedule{}, 7 * s, nil, 0, []time.Duration{7 * s}},
		{"signal in an interval", schedule{every: 2 * s}, 5 * s, nil, 0, []time.Duration{2 * s, 4 * s, 5 * s}},
		{"end of the process", schedule{every: 2 * s}, 3 * s, errTargetEnded, 0, []time.Duration{2 * s, 3 * s}},
		{"nobody reads", schedule{every: 2 * s}, 3 * s, errReaderGone, 0, []time.Duration{2 * s}},
		{"slow reports do not add up", schedule{every: 2 * s, count: 3}, 0, nil, 3 * s, []time.Duration{2 * s, 6 * s, 10 * s}},
	} {
		if got := reportsOf(t, c.s, c.end, c.cause, c.cost); !slices.Equal(got, c.want) {
			t.Errorf("%s: reports at %v; want %v", c.name, got, c.want)
		}
	}
}

func TestFailedReportEndsTheObservation(t *testing.T) {
	failed := errors.New("no space left")
	calls := 0
	err := schedule{every: time.Millisecond}.follow(t.Context(), func() error {
		calls++
		return failed
	})
	if err != failed || calls != 1 {
		t.Errorf("%v after %d reports; want the error of the first", err, calls)
	}
}

func TestSpansAreSecondsOrDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1": time.Second, "0.25": 250 * time.Millisecond, "1e-1": 100 * time.Millisecond, "500ms": 500 * time.Millisecond,
		"1m30s": 90 * time.Second, "0.001": time.Millisecond,
		"": 0, "0": 0, "0s": 0, "-1": 0, "-1s": 0, "0.0001": 0, "1us": 0, "nan": 0, "inf": 0, "-inf": 0, "1e10": 0, "1e300": 0,
		"x": 0, "1 s": 0, "9999999h": 0,
	} {
		got, err := parseSpan("interval", text)
		if (err == nil) != (want > 0) || err == nil && got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestBracketsBoundWhatLiesBetween(t *testing.T) {
	// The counter stood at 100 at the first snapshot and at 250 at the second.
	for _, c := range []struct{ from, to bracket }{
		{bracket{100, 100}, bracket{250, 250}}, {bracket{90, 110}, bracket{240, 260}},
		{bracket{0, 300}, bracket{200, math.MaxUint32}}, // so slow a reading that nothing is left to say
	} {
		low, high := growth(c.from, c.to)
		if low > 150 || high < 150 {
			t.Errorf("%+v: from %d to %d; want 150 in between", c, low, high)
		}
	}
	if low, high := growth(bracket{90, 110}, bracket{240, 260}); low != 130 || high != 170 {
		t.Errorf("from %d to %d; want no more than 130 to 170", low, high)
	}
}

func TestDifferenceIsCountedFromTheNearerEnd(t *testing.T) {
	for _, c := range []struct {
		least, most, low, high uint64
		want                   int64
	}{
		{5, 5, 5, 5, 0}, {5, 5, 4, 6, 0}, {5, 9, 7, 7, 0}, {5, 9, 9, 20, 0}, {5, 9, 1, 5, 0},
		{5, 9, 10, 12, 1}, {5, 9, 0, 2, -3},
	} {
		if got := outside(c.least, c.most, c.low, c.high); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
