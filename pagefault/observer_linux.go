//go:build amd64 || arm64

package pagefault

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf"
)

// An Observer counts page faults until it is closed.
type Observer struct {
	backend Backend
	refused []Refusal
	host    bool // every task is in scope

	mu      sync.Mutex
	closed  bool
	session *bpf.Session // nil with BackendProcfs
	proc    *procCounters
}

// Observe begins to count. It tries the back ends in order, unless Options.Backend names one, and takes
// the first that the kernel and this process's privileges allow.
func Observe(opts Options) (*Observer, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	tries := []Backend{BackendFentry, BackendTracepoint, BackendPerf, BackendProcfs}
	if opts.Backend != "" {
		tries = []Backend{opts.Backend}
	}
	o := &Observer{host: opts.Target.Host()}
	programs := newEmbedded()
	for _, b := range tries {
		err := o.open(b, opts, programs)
		if err == nil {
			o.backend = b
			return o, nil
		}
		o.refused = append(o.refused, Refusal{b, err})
		if !unusable(err) {
			return nil, fmt.Errorf("observe page faults: %w", err)
		}
	}
	errs := []error{errors.New("observe page faults: no back end works here")}
	for _, r := range o.refused {
		errs = append(errs, fmt.Errorf("%s: %w", r.Backend, r.Err))
	}
	return nil, errors.Join(errs...)
}

func (o *Observer) open(b Backend, opts Options, programs *embedded) (err error) {
	if b == BackendProcfs {
		o.proc, err = openProc(opts)
		return err
	}
	o.session, err = open(b, opts, programs)
	return err
}

// Backend is the way in use.
func (o *Observer) Backend() Backend { return o.backend }

// Refused says why each better back end is not in use.
func (o *Observer) Refused() []Refusal { return slices.Clone(o.refused) }

// Close stops counting and frees what the kernel held for it. A second call does nothing.
func (o *Observer) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.session == nil {
		return nil
	}
	return o.session.Close()
}

// Snapshot reads the counters. They keep growing while it does, so two numbers of one snapshot taken under
// load may differ by the events of that instant.
func (o *Observer) Snapshot() (*Snapshot, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, ErrClosed
	}
	s := &Snapshot{Time: time.Now()}
	var err error
	if o.proc != nil {
		err = o.proc.read(s)
	} else {
		err = o.read(s)
	}
	if err != nil {
		return nil, fmt.Errorf("read page-fault counters: %w", err)
	}
	return s, nil
}

// totals mirrors struct totals of fault.bpf.c.
type totals struct {
	Minor, Major, Failed, FixedUp uint64
	Exec, Unseen                  uint64
	Completions                   uint64
}

// classStats mirrors struct class_stats.
type classStats struct {
	Time  Histogram
	Count uint64
}

// slots mirrors struct slots.
type slots struct {
	Used    uint32
	OfClass [2048]uint32
}

// whoStats mirrors struct who_stats.
type whoStats struct {
	Count, Major, Ns, MaxNs uint64
}

func (o *Observer) read(s *Snapshot) error {
	// Interrupts allocate pages too. One that comes while page_alloc runs for a task finds it busy: a run
	// is missed, but never one that had to do with a fault.
	var err error
	if s.Lost, err = o.session.Loss(faultProgPageAlloc); err != nil {
		return err
	}
	// The kernel's count of events first, our count of runs after: what occurs in between then adds to
	// the runs, and cannot look like a run that was missed.
	events, err := o.completionEvents()
	if err != nil {
		return err
	}
	sum, err := o.readTotals()
	if err != nil {
		return err
	}
	s.Minor, s.Major, s.Failed, s.FixedUp = sum.Minor, sum.Major, sum.Failed, sum.FixedUp
	s.Exec, s.Unseen = sum.Exec, sum.Unseen
	// Events are those of every task, so runs that were missed are ours to report only where every task
	// is in scope. A narrower scope has LOSS_EVENT, which looks at each task's own counter.
	if o.host {
		if s.Lost.Missed, err = o.missedSince(events, sum.Completions); err != nil {
			return err
		}
	}
	if s.Classes, err = o.readClasses(); err != nil {
		return err
	}
	if s.Who, err = o.readWho(); err != nil {
		return err
	}
	s.Cost = o.session.Cost()
	return nil
}

// missedSince is how many of the events have had no run. On each CPU one may be counted whose program has
// not got to its counter yet, so a shortfall is looked at again.
func (o *Observer) missedSince(events, runs uint64) (uint64, error) {
	for range 3 {
		if runs >= events {
			return 0, nil
		}
		runtime.Gosched()
		sum, err := o.readTotals()
		if err != nil {
			return 0, err
		}
		runs = sum.Completions
	}
	return events - min(runs, events), nil
}

func (o *Observer) readTotals() (totals, error) {
	var sum totals
	var perCPU []totals
	err := o.session.Map(faultMapTotals).Lookup(uint32(0), &perCPU)
	for _, t := range perCPU {
		sum.Minor += t.Minor
		sum.Major += t.Major
		sum.Failed += t.Failed
		sum.FixedUp += t.FixedUp
		sum.Exec += t.Exec
		sum.Unseen += t.Unseen
		sum.Completions += t.Completions
	}
	return sum, err
}

// completionEvents is how often the kernel raised the events that end a fault.
func (o *Observer) completionEvents() (uint64, error) {
	minor, err := o.session.PerfCount(unix.PERF_COUNT_SW_PAGE_FAULTS_MIN)
	if err != nil {
		return 0, err
	}
	major, err := o.session.PerfCount(unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ)
	return minor + major, err
}

func (o *Observer) readClasses() ([]ClassStats, error) {
	var slots slots
	if err := o.session.Variable(faultVarSlots).Get(&slots); err != nil {
		return nil, err
	}
	var out []ClassStats
	var perCPU []classStats
	for class, slot := range slots.OfClass {
		if slot == 0 {
			continue
		}
		if err := o.session.Map(faultMapClasses).Lookup(slot-1, &perCPU); err != nil {
			if errors.Is(err, ebpf.ErrKeyNotExist) {
				continue // beyond the last slot: counted as lost
			}
			return nil, err
		}
		c := ClassStats{Class: decodeClass(uint32(class))}
		for i := range perCPU {
			c.Count += perCPU[i].Count
			c.Time.Merge(&perCPU[i].Time)
		}
		if c.Count > 0 {
			out = append(out, c)
		}
	}
	sortClasses(out)
	return out, nil
}

func (o *Observer) readWho() ([]WhoStats, error) {
	var out []WhoStats
	var key bpf.Key
	var perCPU []whoStats
	it := o.session.Map(faultMapWho).Iterate()
	for it.Next(&key, &perCPU) {
		w := WhoStats{Key: Key{
			Comm: bpf.CString(key.Comm[:]), PID: int(key.TGID), TID: int(key.TID), Cgroup: key.Cgroup,
			Class: decodeClass(key.What), File: bpf.CString(key.File[:]), Inode: key.Inode, Device: key.Device,
		}}
		for _, v := range perCPU {
			w.Count += v.Count
			w.Major += v.Major
			w.Time += time.Duration(v.Ns)
			w.TimeMax = max(w.TimeMax, time.Duration(v.MaxNs))
		}
		out = append(out, w)
	}
	sortWho(out)
	if errors.Is(it.Err(), ebpf.ErrIterationAborted) {
		return out, nil // rows came and went while we read; what was read stands
	}
	return out, it.Err()
}
