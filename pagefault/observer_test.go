//go:build linux && (amd64 || arm64)

package pagefault

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/hist"
	"golang.org/x/sys/unix"
)

// TestDroppedEventsAreCaught stops the events that end a fault while a process takes faults, as a kernel
// does that skips a program. Ours must not balance then, and must say by how much.
func TestDroppedEventsAreCaught(t *testing.T) {
	for _, b := range []Backend{BackendTracepoint, BackendPerf} {
		t.Run(string(b), func(t *testing.T) {
			bpftest.Exclusive(t)
			const pages = 300
			o := observe(t, Options{Target: Target{Children: true}, Backend: b})
			c := start(t, "touch", bytesOf(pages))
			if err := o.session.PausePerf(unix.PERF_COUNT_SW_PAGE_FAULTS_MIN, true); err != nil {
				t.Fatal(err)
			}
			body(t, c)
			if err := o.session.PausePerf(unix.PERF_COUNT_SW_PAGE_FAULTS_MIN, false); err != nil {
				t.Fatal(err)
			}
			report, err := c.Wait()
			if err != nil {
				t.Fatal(err)
			}
			s := snapshot(t, o)
			ru := c.Cmd.ProcessState.SysUsage().(*syscall.Rusage)
			short := uint64(ru.Minflt+ru.Majflt) - (s.Minor + s.Major + s.Exec + s.Unseen)
			if short < pages {
				t.Errorf("ours are %d short; %d faults of the body (%+v) were dropped", short, pages, report.Thread)
			}
			if s.Lost.Event < short {
				t.Errorf("ours are %d short and %d were found lost", short, s.Lost.Event)
			}
		})
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
		"key of another kind": {By: 1 << 6},
		"too many groups":     {By: ByPID, Groups: 1 << 30},
		"no such process":     {Target: Target{PID: 1 << 22}, Backend: BackendProcfs},
		"no such cgroup":      {Target: Target{Cgroup: "/no/such/group"}, Backend: BackendTracepoint},
	} {
		if o, err := Observe(opts); err == nil {
			o.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

// TestCommAndFollow observe by name, and a process without what it starts.
func TestScopes(t *testing.T) {
	bpftest.Exclusive(t)
	const pages = 256
	t.Run("command", func(t *testing.T) {
		o := observe(t, Options{Target: Target{Comm: "ring3-by-name"}})
		if o.Backend() == BackendProcfs {
			skipForPerf(t, o)
		}
		run(t, "rename", "72696e67332d62792d6e616d65") // then touches 1 MiB
		want := uint64(1<<20) / uint64(os.Getpagesize())
		if s := snapshot(t, o); s.Minor < want || s.Minor > want+64 {
			t.Errorf("%d minor faults under the name; it touched %d pages", s.Minor, want)
		}
	})
	t.Run("process without children", func(t *testing.T) {
		c := start(t, "fork-cow", bytesOf(pages))
		o := observe(t, Options{Target: Target{PID: c.Cmd.Process.Pid, NoFollow: true}})
		if o.Backend() == BackendProcfs {
			skipForPerf(t, o)
		}
		body(t, c)
		report, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		s := snapshot(t, o)
		if child := uint64(report.Children.MinorFaults); s.Minor >= uint64(report.Process.MinorFaults)+child {
			t.Errorf("%d minor faults: the child's %d are among them", s.Minor, child)
		}
	})
	t.Run("thread", func(t *testing.T) {
		c := start(t, "touch", bytesOf(pages))
		o, err := Observe(Options{Target: Target{TID: c.Cmd.Process.Pid}})
		if err != nil {
			t.Skipf("tried: %v", err)
		}
		defer o.Close()
		body(t, c)
		s := snapshot(t, o) // while the thread lives: /proc forgets it
		report, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if s.Minor < uint64(report.Thread.MinorFaults) {
			t.Errorf("%d minor faults of the thread; it took %d", s.Minor, report.Thread.MinorFaults)
		}
	})
}

func TestIntervalsAddUp(t *testing.T) {
	a := &Snapshot{Minor: 3, Classes: []ClassStats{{Class: Class{Memory: MemoryAnon}, Count: 3, Time: recorded(1, 2, 3)}}}
	b := &Snapshot{Minor: 5, Classes: []ClassStats{
		{Class: Class{Memory: MemoryAnon}, Count: 4, Time: recorded(1, 2, 3, 4)},
		{Class: Class{Memory: MemoryFile}, Count: 1, Time: recorded(9)},
	}}
	d := b.Sub(a)
	if d.Minor != 2 || len(d.Classes) != 2 || d.Classes[0].Count != 1 || d.Classes[0].Time.Count != 1 {
		t.Errorf("difference is %+v", d)
	}
	if len(b.Classes) != 2 || b.Classes[0].Count != 4 || b.Classes[0].Time.Count != 4 {
		t.Errorf("taking the difference changed the later snapshot: %+v", b.Classes)
	}
}

func recorded(values ...uint64) (h hist.Hist) {
	for _, v := range values {
		h.Record(v)
	}
	return h
}

// TestFailedExecEndsExec: what a program does after an execve that failed is not execve's.
func TestFailedExecEndsExec(t *testing.T) {
	const pages = 512
	eachEBPF(t, func(t *testing.T, b Backend) {
		o := observe(t, Options{Target: Target{Children: true}, Backend: b})
		ru := run(t, "failed-exec", bytesOf(pages))
		s := snapshot(t, o)
		if kernel, ours := uint64(ru.Minflt+ru.Majflt), s.Minor+s.Major+s.Exec+s.Unseen; kernel != ours || s.Lost.Events() != 0 {
			t.Errorf("kernel counted %d; we %d, lost %v", kernel, ours, s.Lost)
		}
		want := uint64(2 * pages)
		if b == BackendFentry {
			want = 0 // it sees them
		}
		if s.Unseen != want || s.Exec < 3 || s.Exec > 16 {
			t.Errorf("%d unseen, %d in exec; want %d, and 3 or a few more", s.Unseen, s.Exec, want)
		}
	})
}
