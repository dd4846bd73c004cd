package epoll

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Timer is a clock's alarm as a descriptor: [In] when it has expired. Safe for concurrent use.
// Since Linux 2.6.25. Source: timerfd_create(2).
type Timer struct {
	descriptor
	clock Clock
}

// A Clock is what a [Timer] goes by.
type Clock int

// Clocks.
const (
	Monotonic Clock = unix.CLOCK_MONOTONIC // stands still while the system is suspended
	Boottime  Clock = unix.CLOCK_BOOTTIME  // does not. Since Linux 3.15
	Realtime  Clock = unix.CLOCK_REALTIME  // the time of day, which may be set
)

// NewTimer makes a timer that is not set. Errors: EMFILE, ENFILE; EINVAL for a clock that there is not.
func NewTimer(clock Clock) (*Timer, error) {
	fd, err := unix.TimerfdCreate(int(clock), unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &Timer{descriptor{fd: fd}, clock}, nil
}

// Set lets the timer expire after a duration, and then every so often, or once where every is 0. An earlier
// setting, and expirations that nobody has taken, are forgotten. A duration of 0 or less expires at once.
// Negative every is EINVAL.
func (t *Timer) Set(after, every time.Duration) error {
	// The kernel takes a first expiration of 0 for "never".
	return t.set(0, unix.ItimerSpec{Value: timespec(max(after, 1)), Interval: timespec(every)})
}

// SetAt is Set for a moment of the [Realtime] clock; of another clock it is EINVAL. When that clock is set by
// hand, [Timer.Take] fails with ECANCELED once, and the caller may look at the time again.
func (t *Timer) SetAt(at time.Time, every time.Duration) error {
	if t.clock != Realtime { // time.Time says nothing of other clocks
		return os.NewSyscallError("timerfd_settime", unix.EINVAL)
	}
	value := timespec(1) // the first there is; the kernel takes 0 for "never"
	if at.After(time.Unix(0, 0)) {
		value.Sec, value.Nsec = at.Unix(), int64(at.Nanosecond()) // UnixNano ends in 2262
	}
	return t.set(unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET,
		unix.ItimerSpec{Value: value, Interval: timespec(every)})
}

// Stop unsets the timer.
func (t *Timer) Stop() error { return t.set(0, unix.ItimerSpec{}) }

func (t *Timer) set(flags int, spec unix.ItimerSpec) error {
	return t.use("timerfd_settime", func(fd int) error { return unix.TimerfdSettime(fd, flags, &spec, nil) })
}

// Take returns how often the timer has expired since it was set or Take was called, 0 where it has not.
func (t *Timer) Take() (expirations uint64, err error) { return t.readCount() }

func timespec(d time.Duration) unix.Timespec { return unix.NsecToTimespec(int64(d)) }
