package procfs

import (
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseSchedstat(t *testing.T) {
	for text, want := range map[string]SchedstatInfo{
		string(fixture(t, "pid_schedstat")): {396168403, 333996180, 258},
		"0 0 0\n":                           {},
		"9223372036854775807 1 18446744073709551615 \n": {math.MaxInt64, 1, math.MaxUint64},
	} {
		if got, err := parseSchedstat([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1 2", "1 2 3 4", "1 2 x", "-1 2 3", "9223372036854775808 1 1", "1 9223372036854775808 1"} {
		if got, err := parseSchedstat([]byte(text)); err == nil {
			t.Errorf("%q: parsed as %+v", text, got)
		}
	}
}

// threadClock reads the CPU-time clock of a thread of this process.
func threadClock(t *testing.T, tid int) time.Duration {
	t.Helper()
	const perThread, sched = 4, 2 // include/linux/posix-timers_types.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^tid<<3|perThread|sched), &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// TestTaskSchedstatIsExactForASleepingThread compares with the thread's CPU
// clock, to the nanosecond: the two are the same only while it is off CPU.
func TestTaskSchedstatIsExactForASleepingThread(t *testing.T) {
	tid, _ := sleeper(t, func() { touch(t, 64) })
	if _, err := TaskSchedstat(os.Getpid(), tid); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	var got SchedstatInfo
	var status PidStatusInfo
	var clock time.Duration
	eventually(t, "the thread sleeps", func() bool {
		stat, err := TaskStat(os.Getpid(), tid)
		if err != nil {
			t.Fatal(err)
		}
		clock = threadClock(t, tid)
		if got, err = TaskSchedstat(os.Getpid(), tid); err != nil {
			t.Fatal(err)
		}
		if status, err = TaskStatus(os.Getpid(), tid); err != nil {
			t.Fatal(err)
		}
		return stat.State == 'S' && threadClock(t, tid) == clock
	})
	if got == (SchedstatInfo{}) {
		t.Skip("this kernel does not keep it: before 5.14, without CONFIG_SCHEDSTATS, delay accounting off")
	}
	if got.CPUTime != clock {
		t.Errorf("CPUTime = %d ns; the thread's clock says %d ns", got.CPUTime, clock)
	}
	// It was switched out as often as in, and not every time in is counted.
	if out := status.VoluntaryCtxtSwitches + status.NonvoluntaryCtxtSwitches; got.Timeslices == 0 || got.Timeslices > out {
		t.Errorf("Timeslices = %d; it was switched out %d times", got.Timeslices, out)
	}
}

func TestPidSchedstatIsTheMainThreadAlone(t *testing.T) {
	c := mustStartChild(t)
	eventually(t, "PidSchedstat and the main thread's TaskSchedstat agree", func() bool {
		process, err := PidSchedstat(c.pid)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		thread, err := TaskSchedstat(c.pid, c.pid)
		if err != nil {
			t.Fatal(err)
		}
		return process == thread
	})
}

func FuzzParseSchedstat(f *testing.F) {
	f.Add(fixture(f, "pid_schedstat"))
	f.Add([]byte("1 2 3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseSchedstat(b)
		if err != nil && got != (SchedstatInfo{}) || got.CPUTime < 0 || got.RunDelay < 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
