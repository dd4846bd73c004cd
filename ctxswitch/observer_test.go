//go:build linux && (amd64 || arm64)

package ctxswitch

import (
	"errors"
	"os"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/hist"
	"github.com/ring3-go/ring3/internal/workload"
)

// TestOffCPUNamesTheSystemCall blocks once in each of several system calls.
func TestOffCPUNamesTheSystemCall(t *testing.T) {
	bpftest.Exclusive(t)
	for name, want := range map[string][]string{
		"read":       {"read"},
		"futex":      {"futex"},
		"epoll_wait": {"epoll_wait", "epoll_pwait"},
		"poll":       {"poll", "ppoll"},
		"wait4":      {"wait4"},
		"nanosleep":  {"nanosleep", "clock_nanosleep"},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, "block", name)
			o := observe(t, Options{Target: Target{TID: c.Cmd.Process.Pid}})
			body(t, c)
			s := snapshot(t, o)
			for _, off := range s.OffCPU {
				for _, w := range want {
					if off.In.String() == w && off.Time.Count > 0 && off.Time.Sum > 0 {
						return
					}
				}
			}
			t.Errorf("blocked in %v, not in %v", s.OffCPU, want)
		})
	}
}

// TestProgramsSortTimesAsUserSpaceDoes: the programs work out a bucket without branches, package hist with
// the processor's own instruction. Sum and largest value are kept apart from the buckets and give them away.
func TestProgramsSortTimesAsUserSpaceDoes(t *testing.T) {
	bpftest.Exclusive(t)
	o := observe(t, Options{Target: Target{Children: true}})
	run(t, "forkbomb", "100")
	s := snapshot(t, o)
	hists := map[string]Histogram{"on CPU": s.OnCPU, "woken": s.RunDelayWoken, "preempted": s.RunDelayPreempted}
	for _, off := range s.OffCPU {
		hists[off.In.String()] = off.Time
	}
	if s.OnCPU.Count < 100 {
		t.Errorf("%d times on a CPU, of 100 processes", s.OnCPU.Count)
	}
	for name, h := range hists {
		var n, low, high uint64
		top := -1
		for i, c := range h.Counts {
			from, below := hist.Bounds(i)
			n, low, high = n+c, low+c*from, high+c*(below-1)
			if c > 0 {
				top = i
			}
		}
		if n != h.Count || h.Count > 0 && (hist.Index(h.Max) != top || h.Sum < low || h.Sum > high) {
			t.Errorf("%s: %d in buckets that hold %d to %d ns, the last is %d; counted %d, %d ns, at most %d ns (bucket %d)",
				name, n, low, high, top, h.Count, h.Sum, h.Max, hist.Index(h.Max))
		}
	}
}

// TestYieldIsInvoluntary: a thread that yields could run on, and the kernel counts it so.
func TestYieldIsInvoluntary(t *testing.T) {
	bpftest.Exclusive(t)
	c := start(t, "yield", "500")
	o := observe(t, Options{Target: Target{TID: c.Cmd.Process.Pid}})
	before := snapshot(t, o)
	body(t, c)
	s := snapshot(t, o).Sub(before)
	report, err := c.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if s.Involuntary < uint64(report.Thread.Involuntary) {
		t.Errorf("involuntary %d; getrusage of the thread has %d", s.Involuntary, report.Thread.Involuntary)
	}
}

func TestGroupsAndPreemptorsNameTheTask(t *testing.T) {
	bpftest.Exclusive(t)
	o := observe(t, Options{Target: Target{Children: true}, By: ByPID | ByComm | BySyscall, Preemptors: true})
	argv := workload.Command("spin-pair", "80")
	ru := run(t, argv[2:]...)
	s := snapshot(t, o)
	var involuntary, preempted uint64
	for _, w := range s.Who {
		involuntary += w.Involuntary
		if w.Key.PID == 0 || w.Key.Comm == "" {
			t.Errorf("a group without name: %+v", w.Key)
		}
	}
	for _, p := range s.Preemptions {
		preempted += p.Count
	}
	if involuntary != uint64(ru.Nivcsw) {
		t.Errorf("groups have %d involuntary switches; the kernel counted %d", involuntary, ru.Nivcsw)
	}
	if preempted == 0 || preempted > s.Involuntary {
		t.Errorf("%d preemptions by name, %d involuntary switches", preempted, s.Involuntary)
	}
}

func TestClosedObserverSaysSo(t *testing.T) {
	o, err := Observe(Options{Target: Target{PID: os.Getpid()}, Backend: BackendProcfs})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(o.Close(), o.Close()); err != nil {
		t.Errorf("close twice: %v", err)
	}
	if _, err := o.Snapshot(); !errors.Is(err, ErrClosed) {
		t.Errorf("snapshot after close: %v", err)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for name, opts := range map[string]Options{
		"two targets":         {Target: Target{PID: 1, Comm: "x"}},
		"unknown back end":    {Backend: "magic"},
		"key of another kind": {By: 1 << 5},
		"name too long":       {Target: Target{Comm: "sixteen-bytes-xx"}},
		"command by procfs":   {Target: Target{Comm: "x"}, Backend: BackendProcfs},
	} {
		if o, err := Observe(opts); err == nil {
			o.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestIntervalsAddUp(t *testing.T) {
	a := &Snapshot{Switches: 10, Voluntary: 4, OffCPU: []OffCPU{{In: 1, Time: recorded(5)}}, Preemptions: []Preemption{{"a", "b", 2}}}
	b := &Snapshot{Switches: 15, Voluntary: 6, OffCPU: []OffCPU{{In: 1, Time: recorded(5, 7)}, {In: 2, Time: recorded(9)}}, Preemptions: []Preemption{{"a", "b", 2}, {"c", "d", 1}}}
	d := b.Sub(a)
	if d.Switches != 5 || d.Voluntary != 2 || len(d.OffCPU) != 2 || d.OffCPU[0].Time.Count != 1 || len(d.Preemptions) != 1 {
		t.Errorf("difference is %+v", d)
	}
	if b.OffCPU[0].Time.Count != 2 {
		t.Errorf("taking the difference changed the later snapshot: %+v", b.OffCPU)
	}
}

func recorded(values ...uint64) (h Histogram) {
	for _, v := range values {
		h.Record(v)
	}
	return h
}

func TestBlockedInHasAName(t *testing.T) {
	for in, want := range map[BlockedIn]string{
		InKernelThread: "(kernel thread)",
		InIOWorker:     "(io_uring worker)",
		InException:    "(page fault or return to user)",
		inCompat | 3:   "32-bit:3",
		9999:           "syscall_9999",
	} {
		if got := in.String(); got != want {
			t.Errorf("%#x is %q; want %q", uint32(in), got, want)
		}
	}
}
