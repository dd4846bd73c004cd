//go:build linux && (amd64 || arm64)

package pagefault

import (
	"fmt"
	"os"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
)

// TestBooksCloseToTheUnit holds every back end against getrusage of processes observed from birth. One observer
// sees them all, one after the other: to attach takes seconds where the processor is emulated.
func TestBooksCloseToTheUnit(t *testing.T) {
	eachEBPF(t, func(t *testing.T, b Backend) {
		o := observe(t, Options{Target: Target{Children: true}, Backend: b})
		for _, tt := range []struct {
			args   []string
			unseen uint64 // by a back end that does not see get_user_pages
		}{
			{args: []string{"true"}},
			{args: []string{"touch", bytesOf(4096)}},
			{args: []string{"read-zero", bytesOf(512)}},
			{args: []string{"fork-cow", bytesOf(512)}},
			{args: []string{"file-map", "temp", bytesOf(256)}},
			{args: []string{"shm", bytesOf(512)}},
			{args: []string{"huge", "8MiB"}},
			{args: []string{"failed", "50"}},
			{args: []string{"threads", "20"}},
			{args: []string{"forkbomb", "200"}},
			{args: []string{"execs", "10"}},
			{args: []string{"userfault", bytesOf(64)}},
			{args: []string{"populate", bytesOf(512)}, unseen: 512},
			{args: []string{"pvw", bytesOf(512)}, unseen: 512},
		} {
			t.Run(fmt.Sprint(tt.args), func(t *testing.T) {
				before := snapshot(t, o)
				ru := run(t, tt.args...)
				s := snapshot(t, o).Sub(before)

				kernel, ours := uint64(ru.Minflt+ru.Majflt), s.Minor+s.Major+s.Exec+s.Unseen
				if kernel != ours || s.Lost.Events() != 0 {
					t.Errorf("kernel counted %d; we %d = %d minor + %d major + %d exec + %d unseen, lost %v",
						kernel, ours, s.Minor, s.Major, s.Exec, s.Unseen, s.Lost)
				}
				if b == BackendFentry {
					tt.unseen = 0 // it sees them
				}
				if s.Unseen != tt.unseen {
					t.Errorf("unseen %d; want %d", s.Unseen, tt.unseen)
				}
				if s.Exec == 0 {
					t.Error("no fault in exec: the kernel writes arguments to the new stack")
				}
				var classes uint64
				for _, c := range s.Classes {
					classes += c.Count
				}
				if classes != s.Total() {
					t.Errorf("classes sum to %d; total is %d", classes, s.Total())
				}
			})
		}
	})
}

// TestHostCountsAtLeastItsPart observes every task while one touches memory.
func TestHostCountsAtLeastItsPart(t *testing.T) {
	eachEBPF(t, func(t *testing.T, b Backend) {
		const pages = 2048
		o := observe(t, Options{Backend: b, By: ByPID | ByComm})
		before := snapshot(t, o)
		c := start(t, "touch", bytesOf(pages))
		body(t, c)
		after := snapshot(t, o)
		report, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		d := after.Sub(before)
		if d.Minor < uint64(report.Process.MinorFaults) {
			t.Errorf("host minor faults %d; one process alone has %d", d.Minor, report.Process.MinorFaults)
		}
		for _, w := range d.Who {
			if w.Key.PID == c.Cmd.Process.Pid {
				if w.Count < pages {
					t.Errorf("%d faults for the process; it touched %d pages", w.Count, pages)
				}
				return
			}
		}
		t.Errorf("process %d is not among %d groups", c.Cmd.Process.Pid, len(d.Who))
	})
}

// TestProcfsAgreesWithRusage needs no privilege.
func TestProcfsAgreesWithRusage(t *testing.T) {
	o, err := Observe(Options{Target: Target{Children: true}, Backend: BackendProcfs})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	ru := run(t, "touch", bytesOf(512))
	s := snapshot(t, o)
	if s.Minor != uint64(ru.Minflt) || s.Major != uint64(ru.Majflt) {
		t.Errorf("minor %d, major %d; rusage has %d, %d", s.Minor, s.Major, ru.Minflt, ru.Majflt)
	}
	if len(s.Classes) != 0 {
		t.Errorf("classes %v from a back end that cannot tell", s.Classes)
	}
}

// TestUnprivilegedFallsBackToProcfs runs as whoever runs the tests: with eBPF or without it, Observe gives
// an observer, and says why it is not a better one.
func TestUnprivilegedFallsBackToProcfs(t *testing.T) {
	bpftest.Exclusive(t)
	o, err := Observe(Options{Target: Target{PID: os.Getpid()}})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Backend() == BackendProcfs && len(o.Refused()) != 3 {
		t.Errorf("in use: %s; refused: %v; want a reason for each of three", o.Backend(), o.Refused())
	}
}
