package ctxswitch

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ring3-go/ring3/internal/bpf"
	"github.com/ring3-go/ring3/internal/hist"
	"github.com/ring3-go/ring3/internal/sysname"
	"github.com/ring3-go/ring3/internal/target"
)

// A Target selects the tasks to observe; its zero value is the whole host.
type Target = target.Target

// Histogram is a log-linear histogram of nanoseconds, 8 buckets an octave: a quantile is at most 12.5 %
// above the true one, and never below.
type Histogram = hist.Hist

// Loss counts what an observer failed to count, by cause.
type Loss = bpf.Loss

// Cost is what the observer's own programs took.
type Cost = bpf.Cost

// NotSupportedError says that this kernel cannot; it matches errors.ErrUnsupported.
type NotSupportedError = bpf.NotSupportedError

// NotPermittedError says that this process may not; it matches fs.ErrPermission.
type NotPermittedError = bpf.NotPermittedError

// By is a set of keys to group switches by.
type By = bpf.By

// The keys that make sense for switches.
const (
	ByComm    = bpf.ByComm
	ByPID     = bpf.ByPID
	ByTID     = bpf.ByTID
	ByCgroup  = bpf.ByCgroup
	BySyscall = bpf.BySyscall
)

// A Snapshot is what an observer has counted since it began. Counters only grow.
type Snapshot struct {
	Time time.Time

	Switches uint64 // all switches of the host, in scope or not: /proc/stat ctxt
	FromIdle uint64 // of them, those that left an idle task

	Voluntary   uint64 // left the CPU to block
	Involuntary uint64 // preempted, or yielded
	Exit        uint64 // the last switch of a task
	Migrations  uint64 // changes of CPU

	// Run-queue delay: from runnable to running.
	RunDelayWoken     Histogram // runnable because it was woken or born
	RunDelayPreempted Histogram // runnable because it lost the CPU
	OnCPU             Histogram // from switched in to switched out
	OffCPU            []OffCPU  // from blocked to running again; most time first

	Who         []WhoStats   // by Options.By, most switches first
	Preemptions []Preemption // with Options.Preemptors, most frequent first
	Lost        Loss
	Cost        Cost
}

// OffCPU is the time that threads were blocked in one place: from the switch that took them off the CPU
// until they ran again, so run-queue delay after the wake-up is part of it.
type OffCPU struct {
	In   BlockedIn
	Time Histogram
}

// BlockedIn is the system call in which a thread blocked: its number, or one of the constants below.
// A 32-bit system call of a 64-bit kernel has the highest bit set.
type BlockedIn uint32

// Where a thread can block outside a system call.
const (
	InKernelThread BlockedIn = 0xffffffff
	InIOWorker     BlockedIn = 0xfffffffe // an io_uring worker
	InException    BlockedIn = 0xfffffffd // a page fault, or work on the way back to user mode
	NeverBlocked   BlockedIn = 0xfffffffc // not yet, while observed
	inCompat       BlockedIn = 0x80000000
)

// String is the system call's name, or what the thread was in.
func (b BlockedIn) String() string {
	switch {
	case b == InKernelThread:
		return "(kernel thread)"
	case b == InIOWorker:
		return "(io_uring worker)"
	case b == InException:
		return "(page fault or return to user)"
	case b == NeverBlocked:
		return "(not blocked yet)"
	case b&inCompat != 0:
		return fmt.Sprintf("32-bit:%d", b&^inCompat)
	}
	return sysname.Name(int64(b))
}

// WhoStats is one group's share.
type WhoStats struct {
	Key                    Key
	Voluntary, Involuntary uint64
	RunDelay               time.Duration
	RunDelayMax            time.Duration // since observation began, in an interval too
	OnCPU, OffCPU          time.Duration
}

// Key names a group; only the fields asked for by [Options] are set.
type Key struct {
	Comm    string
	PID     int // the host's number
	TID     int // the host's number
	Cgroup  uint64
	Syscall BlockedIn // the one it last blocked in
}

// Preemption counts how often tasks of one name lost the CPU to tasks of another.
type Preemption struct {
	Victim, By string
	Count      uint64
}

// RunDelay is the run-queue delay whatever its cause.
func (s *Snapshot) RunDelay() Histogram {
	h := s.RunDelayWoken
	h.Merge(&s.RunDelayPreempted)
	return h
}

// Total is the number of switches in scope.
func (s *Snapshot) Total() uint64 { return s.Voluntary + s.Involuntary + s.Exit }

// Sub returns what happened between the earlier snapshot of the same observer and s.
func (s *Snapshot) Sub(earlier *Snapshot) *Snapshot {
	d := *s
	d.Switches -= earlier.Switches
	d.FromIdle -= earlier.FromIdle
	d.Voluntary -= earlier.Voluntary
	d.Involuntary -= earlier.Involuntary
	d.Exit -= earlier.Exit
	d.Migrations -= earlier.Migrations
	d.RunDelayWoken.Sub(&earlier.RunDelayWoken)
	d.RunDelayPreempted.Sub(&earlier.RunDelayPreempted)
	d.OnCPU.Sub(&earlier.OnCPU)
	d.Lost = s.Lost.Sub(earlier.Lost)
	d.Cost = s.Cost.Sub(earlier.Cost)
	d.OffCPU = subOffCPU(s.OffCPU, earlier.OffCPU)
	d.Who = subWho(s.Who, earlier.Who)
	d.Preemptions = subPreemptions(s.Preemptions, earlier.Preemptions)
	return &d
}

func subOffCPU(now, earlier []OffCPU) []OffCPU {
	before := make(map[BlockedIn]*Histogram, len(earlier))
	for i := range earlier {
		before[earlier[i].In] = &earlier[i].Time
	}
	var out []OffCPU
	for _, o := range now {
		if old := before[o.In]; old != nil {
			o.Time.Sub(old)
		}
		if o.Time.Count > 0 {
			out = append(out, o)
		}
	}
	sortOffCPU(out)
	return out
}

func subWho(now, earlier []WhoStats) []WhoStats {
	before := make(map[Key]*WhoStats, len(earlier))
	for i := range earlier {
		before[earlier[i].Key] = &earlier[i]
	}
	var out []WhoStats
	for _, w := range now {
		if old := before[w.Key]; old != nil {
			w.Voluntary -= old.Voluntary
			w.Involuntary -= old.Involuntary
			w.RunDelay -= old.RunDelay
			w.OnCPU -= old.OnCPU
			w.OffCPU -= old.OffCPU
		}
		if w.Voluntary+w.Involuntary > 0 || w.RunDelay+w.OnCPU+w.OffCPU > 0 {
			out = append(out, w)
		}
	}
	sortWho(out)
	return out
}

func subPreemptions(now, earlier []Preemption) []Preemption {
	type pair struct{ victim, by string }
	before := make(map[pair]uint64, len(earlier))
	for _, p := range earlier {
		before[pair{p.Victim, p.By}] = p.Count
	}
	var out []Preemption
	for _, p := range now {
		p.Count -= before[pair{p.Victim, p.By}]
		if p.Count > 0 {
			out = append(out, p)
		}
	}
	sortPreemptions(out)
	return out
}

func sortOffCPU(o []OffCPU) {
	slices.SortFunc(o, func(a, b OffCPU) int {
		return cmp.Or(cmp.Compare(b.Time.Sum, a.Time.Sum), cmp.Compare(a.In, b.In))
	})
}

func sortWho(w []WhoStats) {
	slices.SortFunc(w, func(a, b WhoStats) int {
		return cmp.Or(cmp.Compare(b.Voluntary+b.Involuntary, a.Voluntary+a.Involuntary), cmp.Compare(b.OnCPU, a.OnCPU),
			cmp.Compare(a.Key.Comm, b.Key.Comm), cmp.Compare(a.Key.PID, b.Key.PID), cmp.Compare(a.Key.TID, b.Key.TID))
	})
}

func sortPreemptions(p []Preemption) {
	slices.SortFunc(p, func(a, b Preemption) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Victim, b.Victim), cmp.Compare(a.By, b.By))
	})
}
