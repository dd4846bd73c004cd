package reactor

import (
	"os"
	"time"
)

// SetReadDeadline sets when the connection fails with os.ErrDeadlineExceeded unless the deadline is moved first.
// The zero time is none. It costs a few instructions, so it may be moved with each message. Precision: a millisecond,
// later. It ends with Close, which reads no more.
func (c *Conn) SetReadDeadline(t time.Time) { c.setDeadline(&c.readBy, t) }

// SetWriteDeadline is the same for output: the connection fails if some is still kept then.
func (c *Conn) SetWriteDeadline(t time.Time) { c.setDeadline(&c.writeBy, t) }

func (c *Conn) setDeadline(by *int64, t time.Time) {
	if c.gone {
		return
	}
	*by = 0
	if !t.IsZero() {
		*by = max(c.loop.tickOf(t), 1)
	}
	c.updateAlarm()
}

// updateAlarm sees that the alarm is not later than the next deadline. It may be earlier: expired looks again, so a
// deadline that moves on with each message does not touch the wheel.
func (c *Conn) updateAlarm() {
	by := c.deadline()
	if by != 0 && (!c.alarm.set || by < c.alarm.when) {
		c.loop.timers.start(&c.alarm, by)
	}
}

// deadline is the earliest that holds now, or 0.
func (c *Conn) deadline() (by int64) {
	earliest := func(at int64) {
		if at != 0 && (by == 0 || at < by) {
			by = at
		}
	}
	earliest(c.dialBy)
	if !c.closing || c.dialing {
		earliest(c.readBy)
	}
	if c.out.size > 0 {
		earliest(c.writeBy)
	}
	return by
}

// expired is called by the wheel.
func (c *Conn) expired() {
	by := c.deadline()
	switch {
	case by == 0:
	case by > c.loop.timers.now:
		c.updateAlarm()
	case c.writeBy == by && c.out.size > 0 && c.keptAt == c.loop.waits:
		// It was written after the deadline, and the driver had no time to try.
		c.loop.timers.start(&c.alarm, c.loop.ticks()+1)
	default:
		c.loop.current = c
		c.failed(os.ErrDeadlineExceeded)
	}
}
