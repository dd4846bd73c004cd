//go:build linux && (amd64 || arm64)

package pagefault

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// causeOf runs a cause, or skips with what it says is missing.
func causeOf(t *testing.T, c Cause, opts CauseOptions) *Caused {
	t.Helper()
	done, err := c.Run(t.Context(), opts)
	if cannot := new(CannotHereError); errors.As(err, &cannot) {
		t.Skipf("tried: %v", err)
	}
	if errors.Is(err, unix.ENOEXEC) {
		t.Skipf("tried: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// onDisk is a directory whose file system has a disk, where there is one: that of temporary files, or else this one.
func onDisk(t *testing.T) string {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &st); err != nil {
		t.Fatal(err)
	}
	if st.Type == unix.TMPFS_MAGIC {
		return "."
	}
	return t.TempDir()
}

// undisturbed does something again where it went wrong and the kernel says that it has moved pages meanwhile, to make
// room for huge ones: whoever touches a moved page takes a fault more.
func undisturbed(t *testing.T, do func() bool) {
	t.Helper()
	moved := func() (n int64) {
		text, err := os.ReadFile("/proc/vmstat")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "pgmigrate_success "); ok {
				n, _ = strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			}
		}
		return n
	}
	for range 5 {
		before := moved()
		if do() || moved() == before {
			return
		}
	}
}

// exact says that the kernel counted what was expected.
func (c *Caused) exact() bool {
	more := c.Kernel.Minor - c.Expected.Minor
	return more >= 0 && more <= raceNoise && c.Kernel.Major == c.Expected.Major
}

// TestCausesCauseWhatTheySay holds what a cause returns against getrusage of its thread.
func TestCausesCauseWhatTheySay(t *testing.T) {
	for _, c := range Causes() {
		t.Run(c.Name, func(t *testing.T) {
			var done *Caused
			undisturbed(t, func() bool {
				done = causeOf(t, c, CauseOptions{Count: 100, Reserve: os.Geteuid() == 0, Dir: onDisk(t)})
				return done.exact()
			})
			if !done.exact() {
				t.Errorf("kernel counted %+v; want %+v", done.Kernel, done.Expected)
			}
			want := int64(0)
			if c.Signal != 0 {
				want = 100
			}
			if done.Signals != want {
				t.Errorf("%d signals; want %d", done.Signals, want)
			}
			if n := done.Expected; n.Minor+n.Major+n.Failed+n.FixedUp == 0 && c.Class.Event != EventUnknown {
				t.Error("nothing is expected")
			}
			if done.Time.Count == 0 || done.Overhead <= 0 { // Total may be 0: others disturbed every round that gave the overhead
				t.Errorf("overhead %v, %d values", done.Overhead, done.Time.Count)
			}
			t.Logf("%v each, p50 %d ns, overhead %v", done.Total/100, done.Time.Quantile(0.5), done.Overhead/100)
		})
	}
}

// TestObserverCountsWhatIsCaused holds each back end against each cause: counts to the unit, and the class where
// it can tell.
func TestObserverCountsWhatIsCaused(t *testing.T) {
	eachEBPF(t, func(t *testing.T, b Backend) {
		observe(t, Options{Target: Target{PID: os.Getpid()}, Backend: b}) // skips where it cannot be had
		for _, c := range Causes() {
			t.Run(c.Name, func(t *testing.T) { observeCause(t, c, b) })
		}
	})
}

func observeCause(t *testing.T, c Cause, b Backend) {
	var o *Observed
	var err error
	undisturbed(t, func() bool {
		o, err = c.RunObserved(t.Context(), CauseOptions{Count: 128, Reserve: os.Geteuid() == 0, Dir: onDisk(t)}, Options{Backend: b})
		return err != nil || o.exact()
	})
	cannot := new(CannotHereError)
	switch {
	case errors.As(err, &cannot):
		t.Skipf("tried: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	if !o.exact() {
		t.Errorf("kernel counted %+v; want %+v", o.Kernel, o.Expected)
	}
	want := o.Expected
	outside := c.Name == "kernel address" || c.Name == "non-canonical"
	if outside && slices.ContainsFunc(b.CannotTell(), func(s string) bool { return strings.Contains(s, "outside") }) {
		want.Failed = 0
	}
	if o.Seen.Minor -= want.Minor; o.Seen.Minor > 0 && o.Seen.Minor <= raceNoise {
		o.Seen.Minor = 0
	}
	if o.Seen.Minor += want.Minor; o.Seen != want {
		t.Errorf("observer counted %+v; want %+v: %v", o.Seen, want, o.Who)
	}
	if o.Lost.Events() != 0 {
		t.Errorf("lost %v", o.Lost)
	}
	for _, w := range o.Who {
		if !b.mayCall(o.Class, w.Key.Class) && w.Count > raceNoise { // the race detector touches memory of its own
			t.Errorf("%d faults of class %v; want %v", w.Count, w.Key.Class, o.Class)
		}
	}
}

// mayCall says whether a back end may put a fault of one class into another: where it cannot tell.
func (b Backend) mayCall(is, said Class) bool {
	unresolved := is.Event == EventFailed || is.Event == EventFixedUp
	written := is.Event == EventUserfault && is.Access == AccessWrite // or protected as anywhere else
	ok := func(is, said uint8) bool { return said == is || said == 0 && (b != BackendFentry || written) }
	access := said.Access == is.Access || said.Access == AccessUnknown && (b == BackendPerf || unresolved)
	memory := said.Memory == is.Memory || unresolved && said.Memory == MemoryUnknown
	return access && memory && said.Major == is.Major && ok(uint8(is.Event), uint8(said.Event))
}
