//go:build linux && (amd64 || arm64)

package pagefault

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// count sums the classes that match; a zero field matches all.
func count(s *Snapshot, want Class) (n, timed uint64) {
	for _, c := range s.Classes {
		if (want.Memory == 0 || c.Class.Memory == want.Memory) && (want.Event == 0 || c.Class.Event == want.Event) &&
			(want.Access == 0 || c.Class.Access == want.Access) {
			n += c.Count
			timed += c.Time.Count
		}
	}
	return n, timed
}

// TestClassIsTheCause makes faults of one kind in a process that waits, and looks for them in their class.
// The runtime takes some of its own beside the body's, so the count may be a little above.
func TestClassIsTheCause(t *testing.T) {
	const pages, slack = 512, 256
	for _, tt := range []struct {
		name string
		args []string
		want []Class
	}{
		{"write to fresh memory", []string{"touch", bytesOf(pages)},
			[]Class{{Memory: MemoryAnon, Event: EventFirstTouch, Access: AccessWrite}}},
		{"read of fresh memory", []string{"read-zero", bytesOf(pages)},
			[]Class{{Memory: MemoryAnon, Event: EventFirstTouch, Access: AccessRead}}},
		{"write after fork", []string{"fork-cow", bytesOf(pages)},
			[]Class{{Memory: MemoryAnon, Event: EventCopyOnWrite, Access: AccessWrite}}},
		{"shared memory", []string{"shm", bytesOf(pages)},
			[]Class{{Memory: MemoryShmem, Event: EventFirstTouch, Access: AccessWrite}}},
		{"bad address", []string{"failed", "512"},
			[]Class{{Event: EventFailed, Access: AccessRead}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachEBPF(t, func(t *testing.T, b Backend) {
				c := start(t, tt.args...)
				o := observe(t, Options{Target: Target{PID: c.Cmd.Process.Pid}, Backend: b})
				body(t, c)
				if _, err := c.Wait(); err != nil {
					t.Fatal(err)
				}
				s := snapshot(t, o)
				for _, want := range tt.want {
					if want.Event == EventFailed && runtime.GOARCH != "amd64" {
						want.Access = AccessUnknown // no exception tracepoint, and it got no further
					}
					if b == BackendPerf { // cannot tell these, and must not pretend to
						if n, _ := count(s, Class{Access: want.Access}); n != 0 && want.Access != AccessUnknown {
							t.Errorf("%d faults with a known access", n)
						}
						want.Access = AccessUnknown
						if want.Event != EventFailed {
							want.Event = EventUnknown
						}
					}
					n, timed := count(s, want)
					// What the perf events cannot tell apart stands in one class, the rest of the body too.
					if n < pages || (n > pages+slack && b != BackendPerf) {
						t.Errorf("%v: %d; want %d and little more; all: %v", want, n, pages, names(s))
					}
					if timed != n && want.Event != EventFailed {
						t.Errorf("%v: %d of %d have a time", want, timed, n)
					}
				}
			})
		})
	}
}

// TestHugePageIsOneFault compares with what the process finds in its own smaps.
func TestHugePageIsOneFault(t *testing.T) {
	b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if err != nil || strings.Contains(string(b), "[never]") {
		t.Skipf("tried: transparent huge pages are %q: %v", strings.TrimSpace(string(b)), err)
	}
	eachEBPF(t, func(t *testing.T, b Backend) {
		c := start(t, "huge", "16MiB")
		o := observe(t, Options{Target: Target{PID: c.Cmd.Process.Pid}, Backend: b})
		body(t, c)
		report, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		n, _ := count(snapshot(t, o), Class{Memory: MemoryAnon, Event: EventHuge})
		// Where the kernel had no huge page it gave small ones, hundreds of faults each.
		if report.Thread.MinorFaults > 64 {
			t.Skipf("tried: the kernel was short of huge pages: %d faults", report.Thread.MinorFaults)
		}
		if n < 8 || n > 10 { // the runtime's heap may get one or two
			t.Errorf("%d huge faults for 8 huge pages", n)
		}
	})
}

// TestUserfaultIsServed finds the faults that a userfaultfd handler served in their class, wherever something tells
// that the page was missing, or the kernel calls them major. Before Linux 6.6 it does.
func TestUserfaultIsServed(t *testing.T) {
	const pages = 64
	eachEBPF(t, func(t *testing.T, b Backend) {
		c := start(t, "userfault", bytesOf(pages))
		o := observe(t, Options{Target: Target{PID: c.Cmd.Process.Pid}, Backend: b})
		body(t, c)
		report, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		want := uint64(pages)
		if b == BackendPerf && report.Thread.MajorFaults < pages {
			want = 0
		}
		s := snapshot(t, o)
		if n, _ := count(s, Class{Memory: MemoryAnon, Event: EventUserfault}); n != want {
			t.Errorf("%d faults served by a handler of %d; all: %v", n, want, names(s))
		}
	})
}

func TestClassNamesAreStable(t *testing.T) {
	for want, c := range map[string]Class{
		"anon first-touch write":                      {MemoryAnon, EventFirstTouch, AccessWrite, false},
		"file first-touch read, major":                {MemoryFile, EventFirstTouch, AccessRead, true},
		"failed write":                                {MemoryUnknown, EventFailed, AccessWrite, false},
		"shmem unknown-event unknown-access":          {MemoryShmem, EventUnknown, AccessUnknown, false},
		"unknown-memory unknown-event unknown-access": {},
	} {
		if got := c.String(); got != want {
			t.Errorf("%#v is %q; want %q", c, got, want)
		}
	}
}

func FuzzDecodeClass(f *testing.F) {
	f.Add(uint32(0))
	f.Add(uint32(0x123))
	f.Add(^uint32(0))
	f.Fuzz(func(t *testing.T, v uint32) {
		if decodeClass(v).String() == "" {
			t.Errorf("class %#x has no name", v)
		}
	})
}

func names(s *Snapshot) map[string]uint64 {
	m := map[string]uint64{}
	for _, c := range s.Classes {
		m[c.Class.String()] = c.Count
	}
	return m
}
