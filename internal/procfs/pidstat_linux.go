package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every architecture
// that Go runs on, whatever CONFIG_HZ is.
const tick = 10 * time.Millisecond

// A PidStatInfo is what /proc/PID/stat says of a process or thread.
type PidStatInfo struct {
	// Comm is the command name as the kernel holds it: any bytes at all, at
	// most 15 of them in a user task, more in a kernel worker.
	Comm string
	// State is the kernel's letter: R running or runnable, S sleeping, D
	// sleeping uninterruptibly, T stopped, t traced, Z zombie, X dead, I idle.
	State byte
	// PPID is the parent's process id, 0 where there is none in sight.
	PPID int
	// MinFlt and MajFlt count page faults served without and with I/O. CMinFlt
	// and CMajFlt count those of children that were waited for, and their
	// children's; they belong to the process, a thread shows the same.
	MinFlt, CMinFlt, MajFlt, CMajFlt uint64
	// UTime and STime are CPU time in user and kernel mode, cut down to whole
	// ticks of 10 ms.
	UTime, STime time.Duration
	// NumThreads is the number of threads of the process.
	NumThreads int
	// StartTime is when the task began, in ticks of 10 ms since boot. A pid
	// with another StartTime is another task.
	StartTime uint64
}

// PidStat reads the counters of a process: the sums over its threads, dead
// ones included.
func PidStat(pid int) (PidStatInfo, error) {
	return read(pidDir(pid)+"/stat", parsePidStat)
}

// TaskStat reads the counters of one thread.
func TaskStat(pid, tid int) (PidStatInfo, error) {
	return read(taskDir(pid, tid)+"/stat", parsePidStat)
}

// parsePidStat parses a line "pid (comm) state ppid …". The command name may
// hold spaces, newlines and parentheses and is not escaped, but what follows
// it has no ')', so the last one ends it.
func parsePidStat(b []byte) (PidStatInfo, error) {
	start, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if start < 0 || end < start {
		return PidStatInfo{}, errors.New("no command name in parentheses")
	}
	f := statFields{f: strings.Fields(string(b[end+1:]))}
	info := PidStatInfo{
		Comm:       string(b[start+1 : end]),
		State:      f.letter(3),
		PPID:       f.id(4),
		MinFlt:     f.uint(10),
		CMinFlt:    f.uint(11),
		MajFlt:     f.uint(12),
		CMajFlt:    f.uint(13),
		UTime:      f.ticks(14),
		STime:      f.ticks(15),
		NumThreads: f.id(20),
		StartTime:  f.uint(22),
	}
	if f.err != nil {
		return PidStatInfo{}, f.err
	}
	return info, nil
}

// statFields are the fields of a stat line from the third on. Methods count
// fields as proc(5) does, from 1, and keep the first error.
type statFields struct {
	f   []string
	err error
}

func (s *statFields) field(n int) string {
	const first = 3
	if n-first < len(s.f) {
		return s.f[n-first]
	}
	s.fail(n, errors.New("missing"))
	return ""
}

func (s *statFields) fail(n int, err error) {
	if s.err == nil {
		s.err = fmt.Errorf("field %d: %w", n, err)
	}
}

func (s *statFields) uint(n int) uint64 {
	v, err := parseUint(s.field(n))
	if err != nil {
		s.fail(n, err)
	}
	return v
}

func (s *statFields) id(n int) int {
	v, err := parseID(s.field(n))
	if err != nil {
		s.fail(n, err)
	}
	return v
}

func (s *statFields) ticks(n int) time.Duration {
	v := s.uint(n)
	if v > uint64(math.MaxInt64/tick) {
		s.fail(n, fmt.Errorf("%d ticks: out of range", v))
		return 0
	}
	return time.Duration(v) * tick
}

func (s *statFields) letter(n int) byte {
	v := s.field(n)
	if len(v) != 1 {
		s.fail(n, fmt.Errorf("%q: want one letter", v))
		return 0
	}
	return v[0]
}
