//go:build linux && (amd64 || arm64)

package pagefault

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

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

// TestCausesCauseWhatTheySay holds what a cause returns against getrusage of its thread.
func TestCausesCauseWhatTheySay(t *testing.T) {
	for _, c := range Causes() {
		t.Run(c.Name, func(t *testing.T) {
			done := causeOf(t, c, CauseOptions{Count: 100, Reserve: os.Geteuid() == 0, Dir: "."})
			if done.Kernel.Minor != done.Expected.Minor || done.Kernel.Major != done.Expected.Major {
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
			if done.Time.Count == 0 || done.Total <= 0 {
				t.Errorf("took %v, %d values", done.Total, done.Time.Count)
			}
			t.Logf("%v each, p50 %d ns, overhead %v", done.Total/100, done.Time.Quantile(0.5), done.Overhead/100)
		})
	}
}

const causeMarker = "ring3-cause-gated"

// causeGated is the process of a test that causes between two gates, at which the test looks at its observer.
func causeGated() bool {
	if len(os.Args) != 3 || os.Args[1] != causeMarker {
		return false
	}
	runtime.LockOSThread()
	c, err := CauseNamed(os.Args[2])
	var done *Caused
	if err == nil {
		atGate.resolve = c.Each.Failed+c.Each.FixedUp > 0
		if atGate.more, err = badPage(unix.PROT_READ | unix.PROT_WRITE); err != nil {
			panic(err)
		}
		done, err = c.run(CauseOptions{Count: 128, Reserve: os.Geteuid() == 0, Dir: ".", Around: gate})
	}
	result := map[string]any{"Done": done}
	if err != nil {
		result["Error"] = err.Error()
	}
	text, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", text)
	return true
}

// atGate is what gate needs.
var atGate = struct {
	say, answer [8]byte
	calls       int
	resolve     bool
	more        uintptr
}{say: [8]byte{'g', 'a', 't', 'e', '\n'}}

// gate says that it is there and waits for an answer. Nothing else happens on the thread between the gates and the
// faults: it cannot be stopped, and makes raw system calls, after which it has not got to find itself a P with memory of
// its own. An exception that came to nothing is known as such when the thread takes the next fault, so there is one
// more at the end.
//
//go:nosplit
func gate() {
	if atGate.calls++; atGate.calls == 2 && atGate.resolve {
		unix.RawSyscall6(unix.SYS_MADVISE, atGate.more, 4096, unix.MADV_DONTNEED, 0, 0, 0)
		storeByte(atGate.more)
	}
	unix.RawSyscall6(unix.SYS_WRITE, 1, uintptr(unsafe.Pointer(&atGate.say)), 5, 0, 0, 0)
	unix.RawSyscall6(unix.SYS_READ, 0, uintptr(unsafe.Pointer(&atGate.answer)), 1, 0, 0, 0)
}

// TestObserverCountsWhatIsCaused holds each back end against each cause: counts to the unit, and the class where
// it can tell.
func TestObserverCountsWhatIsCaused(t *testing.T) {
	for _, c := range Causes() {
		t.Run(c.Name, func(t *testing.T) {
			eachEBPF(t, func(t *testing.T, b Backend) { observeCause(t, c, b) })
		})
	}
}

func observeCause(t *testing.T, c Cause, b Backend) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, causeMarker, c.Name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewReader(out)
	next := func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("cause ended: %v", err)
		}
		return line
	}
	first := next()
	if first != "gate\n" {
		t.Skipf("tried: %s", first)
	}
	o := observe(t, Options{Target: Target{PID: cmd.Process.Pid}, Backend: b, By: ByTID | ByClass})
	before := snapshot(t, o)
	io.WriteString(in, "g")
	next()
	after := snapshot(t, o).Sub(before)
	io.WriteString(in, "g")
	var r struct {
		Done  *Caused
		Error string
	}
	if err := json.Unmarshal([]byte(next()), &r); err != nil || r.Done == nil {
		t.Fatalf("%v: %s", err, r.Error)
	}
	if r.Done.Kernel.Minor != r.Done.Expected.Minor || r.Done.Kernel.Major != r.Done.Expected.Major {
		t.Errorf("kernel counted %+v; want %+v", r.Done.Kernel, r.Done.Expected)
	}
	var seen Counts
	classes := map[Class]int64{}
	for _, w := range after.Who {
		if w.Key.TID != r.Done.TID {
			continue
		}
		classes[w.Key.Class] += int64(w.Count)
		switch {
		case w.Key.Class.Event == EventFailed:
			seen.Failed += int64(w.Count)
		case w.Key.Class.Event == EventFixedUp:
			seen.FixedUp += int64(w.Count)
		default:
			seen.Major += int64(w.Major)
			seen.Minor += int64(w.Count - w.Major)
		}
	}
	want := r.Done.Expected
	if c.Each.Failed+c.Each.FixedUp > 0 {
		want.Minor++ // the one more
		delete(classes, Class{Memory: MemoryAnon, Event: EventFirstTouch, Access: AccessWrite})
		delete(classes, Class{Memory: MemoryAnon}) // by the perf back end
	}
	if c.Name == "kernel address" && b == BackendPerf {
		want.Failed = 0 // it says that it cannot tell
	}
	if seen != want {
		t.Errorf("observer counted %+v; want %+v: %v", seen, want, classes)
	}
	if after.Lost.Events() != 0 {
		t.Errorf("lost %v", after.Lost)
	}
	if c.Class.Event == EventUnknown {
		return
	}
	for class, n := range classes {
		if !b.mayCall(r.Done.Class, class) {
			t.Errorf("%d faults of class %v; want %v", n, class, r.Done.Class)
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
