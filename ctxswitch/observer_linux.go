//go:build amd64 || arm64

package ctxswitch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf"
)

// An Observer counts context switches until it is closed.
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
	tries := []Backend{BackendTracepoint, BackendProcfs}
	if opts.Backend != "" {
		tries = []Backend{opts.Backend}
	}
	o := &Observer{host: opts.Target.Host()}
	for _, b := range tries {
		err := o.open(b, opts)
		if err == nil {
			o.backend = b
			return o, nil
		}
		o.refused = append(o.refused, Refusal{b, err})
		if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("observe context switches: %w", err)
		}
	}
	errs := []error{errors.New("observe context switches: no back end works here")}
	for _, r := range o.refused {
		errs = append(errs, fmt.Errorf("%s: %w", r.Backend, r.Err))
	}
	return nil, errors.Join(errs...)
}

func (o *Observer) open(b Backend, opts Options) (err error) {
	switch b {
	case BackendProcfs:
		o.proc, err = openProc(opts)
	case BackendTracepoint:
		o.session, err = openTracepoints(opts)
	default:
		err = fmt.Errorf("context-switch back end %q is not known", b)
	}
	return err
}

func openTracepoints(opts Options) (_ *bpf.Session, err error) {
	spec, err := bpf.Read(loadSched)
	if err != nil {
		return nil, err
	}
	if err := configure(spec, opts); err != nil {
		return nil, err
	}
	programs := bpf.ProgramNames(spec, "tp_btf/")
	s, err := bpf.Open(spec, programs, opts.Verbose)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := opts.Target.Mark(s.Map(schedMapTasks)); err != nil {
		return nil, err
	}
	return s, s.AttachTracing(programs...)
}

func configure(spec *ebpf.CollectionSpec, opts Options) error {
	if err := opts.Target.Configure(spec); err != nil {
		return err
	}
	if err := spec.Variables[schedVarBy].Set(uint32(opts.By)); err != nil {
		return fmt.Errorf("set keys: %w", err)
	}
	if err := spec.Variables[schedVarNrSchedYield].Set(uint32(unix.SYS_SCHED_YIELD)); err != nil {
		return fmt.Errorf("set number of sched_yield: %w", err)
	}
	if opts.By != 0 {
		spec.Maps[schedMapWho].MaxEntries = opts.groups()
	}
	if opts.Preemptors {
		spec.Maps[schedMapPreemptions].MaxEntries = opts.groups()
		if err := spec.Variables[schedVarKeepPreemptors].Set(uint32(1)); err != nil {
			return fmt.Errorf("set preemptors: %w", err)
		}
	}
	return nil
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

// Snapshot reads the counters. They keep growing while it does, so two numbers of one snapshot taken
// under load may differ by the events of that instant.
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
		return nil, fmt.Errorf("read context-switch counters: %w", err)
	}
	return s, nil
}

// totals mirrors struct totals of switch.bpf.c.
type totals struct {
	Switches, FromIdle               uint64
	Unseen, Running                  uint64
	Voluntary, Involuntary, Exit     uint64
	Migrations                       uint64
	RunDelayWoken, RunDelayPreempted Histogram
	OnCPU                            Histogram
}

// whoStats mirrors struct who_stats.
type whoStats struct {
	Voluntary, Involuntary  uint64
	RunDelayNs, RunDelayMax uint64
	OnCPUNs, OffCPUNs       uint64
}

// preemption mirrors struct preemption.
type preemption struct {
	Victim, By [16]byte
}

func (o *Observer) read(s *Snapshot) error {
	var perCPU []totals
	var unseen uint64
	if err := o.session.Map(schedMapTotals).Lookup(uint32(0), &perCPU); err != nil {
		return err
	}
	for i := range perCPU {
		t := &perCPU[i]
		s.Switches += t.Switches
		s.FromIdle += t.FromIdle
		unseen += t.Unseen
		s.Voluntary += t.Voluntary
		s.Involuntary += t.Involuntary
		s.Exit += t.Exit
		s.Migrations += t.Migrations
		s.RunDelayWoken.Merge(&t.RunDelayWoken)
		s.RunDelayPreempted.Merge(&t.RunDelayPreempted)
		s.OnCPU.Merge(&t.OnCPU)
	}
	var err error
	if s.Lost, err = o.session.Loss(); err != nil {
		return err
	}
	// A switch between two tasks that are out of scope is not ours to report. One that involves a task
	// in scope shows in that task's own counters, as LOSS_EVENT.
	if o.host {
		s.Lost.Missed += unseen
	}
	if err := o.readOffCPU(s); err != nil {
		return err
	}
	if err := o.readWho(s); err != nil {
		return err
	}
	if err := o.readPreemptions(s); err != nil {
		return err
	}
	s.Cost = o.session.Cost()
	return nil
}

func (o *Observer) readOffCPU(s *Snapshot) error {
	var where uint32
	var perCPU []Histogram
	it := o.session.Map(schedMapOffCpu).Iterate()
	for it.Next(&where, &perCPU) {
		off := OffCPU{In: BlockedIn(where)}
		for i := range perCPU {
			off.Time.Merge(&perCPU[i])
		}
		s.OffCPU = append(s.OffCPU, off)
	}
	sortOffCPU(s.OffCPU)
	return it.Err()
}

func (o *Observer) readWho(s *Snapshot) error {
	var key bpf.Key
	var perCPU []whoStats
	it := o.session.Map(schedMapWho).Iterate()
	for it.Next(&key, &perCPU) {
		w := WhoStats{Key: Key{
			Comm: bpf.CString(key.Comm[:]), PID: int(key.TGID), TID: int(key.TID), Cgroup: key.Cgroup,
			Syscall: BlockedIn(key.What),
		}}
		for _, v := range perCPU {
			w.Voluntary += v.Voluntary
			w.Involuntary += v.Involuntary
			w.RunDelay += time.Duration(v.RunDelayNs)
			w.RunDelayMax = max(w.RunDelayMax, time.Duration(v.RunDelayMax))
			w.OnCPU += time.Duration(v.OnCPUNs)
			w.OffCPU += time.Duration(v.OffCPUNs)
		}
		s.Who = append(s.Who, w)
	}
	sortWho(s.Who)
	return it.Err()
}

func (o *Observer) readPreemptions(s *Snapshot) error {
	var key preemption
	var perCPU []uint64
	it := o.session.Map(schedMapPreemptions).Iterate()
	for it.Next(&key, &perCPU) {
		p := Preemption{Victim: bpf.CString(key.Victim[:]), By: bpf.CString(key.By[:])}
		for _, n := range perCPU {
			p.Count += n
		}
		s.Preemptions = append(s.Preemptions, p)
	}
	sortPreemptions(s.Preemptions)
	return it.Err()
}
