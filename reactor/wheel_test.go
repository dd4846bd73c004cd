package reactor

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A ringer notes when it rang.
type ringer struct {
	alarm
	w     *wheel
	rang  []int64
	also  func() // run when it rings
	index int
}

func (r *ringer) expired() {
	r.rang = append(r.rang, r.w.now)
	if r.also != nil {
		r.also()
	}
}

func newRinger(w *wheel) *ringer {
	r := &ringer{w: w}
	r.alarm.owner = r
	return r
}

// The model is a list of alarms with their ticks.
func TestWheelAgreesWithAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Anywhere, and just before the end of a turn of each level.
		begin := rapid.OneOf(rapid.Int64Range(0, 1<<40), rapid.Custom(func(t *rapid.T) int64 {
			turn := int64(1) << (wheelBits * rapid.IntRange(1, wheelLevels+1).Draw(t, "level"))
			return max(turn*rapid.Int64Range(1, 3).Draw(t, "turns")-rapid.Int64Range(-1, 70).Draw(t, "before"), 0)
		}))
		w := &wheel{now: begin.Draw(t, "begin")}
		due := make(map[*ringer]int64)
		all := make([]*ringer, 20)
		for i := range all {
			all[i] = newRinger(w)
			all[i].index = i
		}
		distance := rapid.OneOf(rapid.Int64Range(-5, 70), rapid.Int64Range(0, 5000), rapid.Int64Range(0, 1<<20), rapid.Int64Range(0, 1<<38))
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				r := all[rapid.IntRange(0, len(all)-1).Draw(t, "alarm")]
				when := w.now + distance.Draw(t, "in")
				w.start(&r.alarm, when)
				due[r] = max(when, w.now+1)
			},
			"stop": func(t *rapid.T) {
				r := all[rapid.IntRange(0, len(all)-1).Draw(t, "alarm")]
				_, want := due[r]
				if got := w.stop(&r.alarm); got != want {
					t.Fatalf("stop: %v; want %v", got, want)
				}
				delete(due, r)
			},
			"advance": func(t *rapid.T) {
				to := w.now + max(distance.Draw(t, "by"), 0)
				w.advance(to)
				if w.now != to {
					t.Fatalf("at %d after advancing to %d", w.now, to)
				}
				for _, r := range all {
					when, set := due[r]
					expire := set && when <= to
					if got := len(r.rang) == 1; got != expire || len(r.rang) > 1 {
						t.Fatalf("alarm %d for %d rang at %v; now %d", r.index, when, r.rang, to)
					}
					if expire {
						if r.rang[0] != when {
							t.Fatalf("alarm for %d rang at %d", when, r.rang[0])
						}
						delete(due, r)
					}
					r.rang = nil
				}
			},
			"": func(t *rapid.T) {
				if w.count != len(due) {
					t.Fatalf("%d alarms; want %d", w.count, len(due))
				}
				earliest := int64(math.MaxInt64)
				for _, when := range due {
					earliest = min(earliest, when)
				}
				next := w.next()
				if next > earliest || next <= w.now || (next == math.MaxInt64) != (len(due) == 0) {
					t.Fatalf("next %d; earliest %d, now %d", next, earliest, w.now)
				}
			},
		})
	})
}

func TestExpiredAlarmMaySetAndStopOthers(t *testing.T) {
	w := &wheel{}
	a, b, c := newRinger(w), newRinger(w), newRinger(w)
	stop := func(r *ringer) { w.stop(&r.alarm) }
	// a and b are due together, and whichever comes first stops the other; c sets itself again.
	a.also, b.also = func() { stop(b) }, func() { stop(a) }
	c.also = func() {
		if len(c.rang) < 3 {
			w.start(&c.alarm, w.now) // in the past: at the next tick
		}
	}
	w.start(&a.alarm, 100)
	w.start(&b.alarm, 100)
	w.start(&c.alarm, 100)
	w.advance(1000)
	if len(a.rang)+len(b.rang) != 1 {
		t.Errorf("rang: %v and %v", a.rang, b.rang)
	}
	if want := []int64{100, 101, 102}; !slices.Equal(c.rang, want) {
		t.Errorf("rang: %v; want %v", c.rang, want)
	}
	if w.count != 0 {
		t.Errorf("%d alarms are left", w.count)
	}
}

// Whoever panics is out; what was due with it, or is to move down a level, is not late for that.
func TestWheelGoesOnAfterAPanic(t *testing.T) {
	w := &wheel{}
	var all []*ringer
	for i := range int64(200) {
		r := newRinger(w)
		r.also = func() { panic(i) }
		w.start(&r.alarm, 64+i/2)
		all = append(all, r)
	}
	advance := func(to int64) {
		defer func() { recover() }()
		w.advance(to)
	}
	for w.count > 0 {
		if next := w.next(); next > w.now {
			advance(next)
		} else {
			advance(w.now)
		}
	}
	for i, r := range all {
		if want := []int64{64 + int64(i/2)}; !slices.Equal(r.rang, want) {
			t.Errorf("alarm %d rang at %v; want %v", i, r.rang, want)
		}
	}
}

func BenchmarkWheel(b *testing.B) {
	w := &wheel{}
	all := make([]*ringer, 10_000)
	for i := range all {
		all[i] = newRinger(w)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.start(&all[i%len(all)].alarm, w.now+30_000)
		if i++; i%1000 == 0 {
			w.advance(w.now + 1)
		}
	}
}
