package procfs

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// A SchedstatInfo is what /proc/PID/schedstat says of one thread.
type SchedstatInfo struct {
	// CPUTime is the time on a CPU. The kernel brings it up to date at each
	// tick and switch, so for a running thread it may lag by a tick.
	CPUTime time.Duration
	// RunDelay is the time spent runnable but waiting for a CPU, up to the
	// last time that the thread got one.
	RunDelay time.Duration
	// Timeslices counts the waits in RunDelay. A thread that is preempted on
	// its way to sleep is not taken for a waiting one when it is switched in
	// again, so there can be fewer waits than switches.
	Timeslices uint64
}

// PidSchedstat reads the scheduler's account of the main thread of a process,
// and of that one thread only. See [TaskSchedstat].
func PidSchedstat(pid int) (SchedstatInfo, error) { return schedstat(pidDir(pid)) }

// TaskSchedstat reads the scheduler's account of one thread. In a kernel
// without CONFIG_SCHED_INFO the error matches [errors.ErrUnsupported]; one
// before 5.14 and without CONFIG_SCHEDSTATS gives zeros while delay accounting
// is off.
func TaskSchedstat(pid, tid int) (SchedstatInfo, error) { return schedstat(taskDir(pid, tid)) }

func schedstat(dir string) (SchedstatInfo, error) {
	return readOptional(dir, "schedstat", "CONFIG_SCHED_INFO", parseSchedstat)
}

// parseSchedstat parses "ns ns count".
func parseSchedstat(b []byte) (SchedstatInfo, error) {
	f := strings.Fields(string(b))
	if len(f) != 3 {
		return SchedstatInfo{}, errors.New("want three numbers")
	}
	var v [3]uint64
	for i := range v {
		n, err := parseUint(f[i])
		if err != nil {
			return SchedstatInfo{}, err
		}
		if i < 2 && n > math.MaxInt64 {
			return SchedstatInfo{}, fmt.Errorf("%d ns: out of range", n)
		}
		v[i] = n
	}
	return SchedstatInfo{
		CPUTime:    time.Duration(v[0]),
		RunDelay:   time.Duration(v[1]),
		Timeslices: v[2],
	}, nil
}
