//go:build linux && (amd64 || arm64)

package ctxswitch

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/procfs"
)

// TestBooksCloseToTheUnit holds the observer against getrusage of processes observed from birth.
func TestBooksCloseToTheUnit(t *testing.T) {
	bpftest.Exclusive(t)
	o := observe(t, Options{Target: Target{Children: true}})
	for _, args := range [][]string{
		{"true"},
		{"sleep", "5"},
		{"pipe-pingpong", "2000"},
		{"futex-pingpong", "8", "500"},
		{"yield", "1000"},
		{"spin-pair", "60"},
		{"threads", "50"},
		{"forkbomb", "500"},
		{"execs", "20"},
	} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			before := snapshot(t, o)
			ru := run(t, args...)
			s := snapshot(t, o).Sub(before)
			if uint64(ru.Nivcsw) != s.Involuntary {
				t.Errorf("involuntary: kernel %d, we %d", ru.Nivcsw, s.Involuntary)
			}
			if v := uint64(ru.Nvcsw); v < s.Voluntary || v > s.Voluntary+s.Exit {
				t.Errorf("voluntary: kernel %d, we %d to %d", v, s.Voluntary, s.Voluntary+s.Exit)
			}
			if s.Lost.Events() != 0 {
				t.Errorf("lost: %v", s.Lost)
			}
			// What left the CPU came on it, but for the last task's end and the first switch of a new one.
			if s.OnCPU.Count+s.Lost.Pair < s.Voluntary+s.Involuntary {
				t.Errorf("%d slices on CPU for %d switches", s.OnCPU.Count, s.Total())
			}
		})
	}
}

// TestHostSumEqualsCtxt observes every task under load. The readings of /proc/stat stand on both sides of
// each snapshot, so the truth lies between two differences.
func TestHostSumEqualsCtxt(t *testing.T) {
	bpftest.Exclusive(t)
	o := observe(t, Options{})
	ctxt := func() uint64 {
		st, err := procfs.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return st.Ctxt
	}
	outer0 := ctxt()
	before := snapshot(t, o)
	inner0 := ctxt()
	run(t, "pipe-pingpong", "50000")
	run(t, "forkbomb", "300")
	inner1 := ctxt()
	after := snapshot(t, o)
	outer1 := ctxt()

	d := after.Sub(before)
	seen, low, high := d.Switches+d.Lost.Missed, inner1-inner0, outer1-outer0
	// A kernel may hide the switches of some tasks from programs. The observer finds them where the task
	// that it sees next is not the one that it saw last, which misses one that came back to the same task.
	allowed := max(50, high/1000)
	if seen+allowed < low || seen > high+allowed {
		t.Errorf("switches %d + missed %d; /proc/stat ctxt grew by %d to %d", d.Switches, d.Lost.Missed, low, high)
	}
	// Each CPU may be in the middle of one while its counters are read, at either end.
	inScope, slack := d.Total()+d.FromIdle, 2*uint64(runtime.NumCPU())
	if diff := max(inScope, d.Switches) - min(inScope, d.Switches); diff > slack {
		t.Errorf("%d switches by kind, %d in all", inScope, d.Switches)
	}
}

// TestRunDelayIsTheSchedulers compares with /proc/PID/schedstat of a thread that shares its CPU.
func TestRunDelayIsTheSchedulers(t *testing.T) {
	bpftest.Exclusive(t)
	c := start(t, "spin-pair", "200")
	pid := c.Cmd.Process.Pid
	o := observe(t, Options{Target: Target{TID: pid}})
	before, err := procfs.TaskSchedstat(pid, pid)
	if err != nil {
		t.Skipf("tried: %v", err)
	}
	body(t, c)
	s := snapshot(t, o)
	after, err := procfs.TaskSchedstat(pid, pid)
	if err != nil {
		t.Fatal(err)
	}
	delay := s.RunDelay()
	kernel := uint64(after.RunDelay - before.RunDelay)
	// The scheduler takes its times at other places of the same switch, microseconds apart; an emulated
	// processor takes a hundred times as long from one to the other.
	tolerance := kernel/20 + 500_000*delay.Count
	if diff := max(kernel, delay.Sum) - min(kernel, delay.Sum); diff > tolerance {
		t.Errorf("run delay %d ns in %d waits; schedstat has %d ns", delay.Sum, delay.Count, kernel)
	}
	if s.RunDelayPreempted.Count == 0 {
		t.Error("no delay after preemption for a thread that shares its CPU with another")
	}
}

// TestProcfsAgreesWithRusage needs no privilege.
func TestProcfsAgreesWithRusage(t *testing.T) {
	o, err := Observe(Options{Target: Target{Children: true}, Backend: BackendProcfs})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	ru := run(t, "pipe-pingpong", "500")
	s := snapshot(t, o)
	if s.Voluntary != uint64(ru.Nvcsw) || s.Involuntary != uint64(ru.Nivcsw) {
		t.Errorf("voluntary %d, involuntary %d; rusage has %d, %d", s.Voluntary, s.Involuntary, ru.Nvcsw, ru.Nivcsw)
	}
}
