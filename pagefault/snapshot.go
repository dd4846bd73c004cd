package pagefault

import (
	"cmp"
	"slices"
	"time"

	"github.com/ring3-go/ring3/internal/bpf"
	"github.com/ring3-go/ring3/internal/hist"
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

// By is a set of keys to group faults by.
type By = bpf.By

// The keys that make sense for faults.
const (
	ByComm   = bpf.ByComm
	ByPID    = bpf.ByPID
	ByTID    = bpf.ByTID
	ByCgroup = bpf.ByCgroup
	ByClass  = bpf.ByClass
	ByFile   = bpf.ByFile
)

// A Snapshot is what an observer has counted since it began. Counters only grow.
type Snapshot struct {
	Time time.Time

	Minor  uint64 // faults that the kernel counted in min_flt, seen by a probe
	Major  uint64 // faults that the kernel counted in maj_flt, seen by a probe
	Failed uint64 // exceptions of the program that were not resolved; the kernel counts these in neither

	// FixedUp counts exceptions in the kernel's own accesses to user memory that it answered itself: with
	// EFAULT, or by making the page present and trying again. It counts these in neither as well.
	FixedUp uint64

	// Exec counts faults that execve took on the new stack, without an exception (get_user_pages).
	Exec uint64
	// Unseen counts those that some other system call took in that way: MAP_POPULATE, mlock, O_DIRECT,
	// process_vm_writev. The fentry back end sees them, so there it is 0.
	Unseen uint64

	Classes []ClassStats // most frequent first; nil where the back end cannot tell
	Who     []WhoStats   // by Options.By, most frequent first
	Lost    Loss
	Cost    Cost
}

// ClassStats is one class's count and handler time, from the exception to the moment that the kernel
// counted the fault.
type ClassStats struct {
	Class Class
	Count uint64
	Time  Histogram // nanoseconds; Time.Count is below Count where a beginning was not seen
}

// WhoStats is one group's count and handler time.
type WhoStats struct {
	Key     Key
	Count   uint64
	Major   uint64
	Time    time.Duration
	TimeMax time.Duration // since observation began, in an interval too
}

// Key names a group; only the fields asked for by [Options] are set.
type Key struct {
	Comm   string
	PID    int // the host's number
	TID    int // the host's number
	Cgroup uint64
	Class  Class
	File   string // base name, at most 31 bytes of it
	Inode  uint64
	Device uint32 // as the kernel keeps it: major<<20 | minor
}

// Total is the number of faults that a probe saw, resolved or not: the sum over Classes.
func (s *Snapshot) Total() uint64 { return s.Minor + s.Major + s.Failed + s.FixedUp }

// Sub returns what happened between the earlier snapshot of the same observer and s.
func (s *Snapshot) Sub(earlier *Snapshot) *Snapshot {
	d := *s
	d.Minor -= earlier.Minor
	d.Major -= earlier.Major
	d.Failed -= earlier.Failed
	d.FixedUp -= earlier.FixedUp
	d.Exec -= earlier.Exec
	d.Unseen -= earlier.Unseen
	d.Lost = s.Lost.Sub(earlier.Lost)
	d.Cost = s.Cost.Sub(earlier.Cost)
	d.Classes = subClasses(s.Classes, earlier.Classes)
	d.Who = subWho(s.Who, earlier.Who)
	return &d
}

func subClasses(now, earlier []ClassStats) []ClassStats {
	before := make(map[Class]*ClassStats, len(earlier))
	for i := range earlier {
		before[earlier[i].Class] = &earlier[i]
	}
	var out []ClassStats
	for _, c := range now {
		if old := before[c.Class]; old != nil {
			c.Count -= old.Count
			c.Time.Sub(&old.Time)
		}
		if c.Count > 0 {
			out = append(out, c)
		}
	}
	sortClasses(out)
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
			w.Count -= old.Count
			w.Major -= old.Major
			w.Time -= old.Time
		}
		if w.Count > 0 {
			out = append(out, w)
		}
	}
	sortWho(out)
	return out
}

func sortClasses(c []ClassStats) {
	slices.SortFunc(c, func(a, b ClassStats) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class.String(), b.Class.String()))
	})
}

func sortWho(w []WhoStats) {
	slices.SortFunc(w, func(a, b WhoStats) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.Time, a.Time),
			cmp.Compare(a.Key.Comm, b.Key.Comm), cmp.Compare(a.Key.PID, b.Key.PID), cmp.Compare(a.Key.TID, b.Key.TID))
	})
}
