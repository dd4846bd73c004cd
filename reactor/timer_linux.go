package reactor

import "time"

// A Timer calls a function on the loop at a time to come. Its methods are for functions that run on the loop.
type Timer struct {
	alarm alarm
	loop  *Loop
	f     func()
}

// AfterFunc has f called on the loop once d has passed: at the earliest then, and as a rule within a millisecond
// after. It is for functions that run on the loop.
func (l *Loop) AfterFunc(d time.Duration, f func()) *Timer {
	t := &Timer{loop: l, f: f}
	t.alarm.owner = t
	t.Reset(d)
	return t
}

// Reset sets the timer again, whether or not it is set, to call its function once d has passed.
func (t *Timer) Reset(d time.Duration) {
	t.loop.timers.start(&t.alarm, t.loop.tickOf(time.Now().Add(d)))
}

// Stop unsets the timer and reports whether it was set: whether its function will not be called now and would
// have been.
func (t *Timer) Stop() bool { return t.loop.timers.stop(&t.alarm) }

func (t *Timer) expired() {
	t.loop.current = nil
	t.f()
}
