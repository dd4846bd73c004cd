package vdso

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/internal/seccomp"
)

// asChild reports whether this process is the child of the test, which is to do the test's work there. In the
// parent it starts that child, and fails the test where the child does.
func asChild(t *testing.T) bool {
	t.Helper()
	const name = "RING3_VDSO_CHILD"
	if os.Getenv(name) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), name+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	if text := string(out); strings.Contains(text, "--- SKIP") {
		t.Skipf("in the child:\n%s", text)
	}
	return false
}

// needs skips a test of a call that the vDSO does not answer here, where that is no failure.
func needs(t *testing.T, e Entry, call string) {
	t.Helper()
	switch {
	case e.VDSO():
		return
	case errors.Is(e.Err, ErrNotFound) && call == "getrandom":
		featuretest.Skip(t, features.VDSOGetrandom, e.Err)
	case errors.Is(e.Err, ErrNotFound) && call == "getcpu" && strings.HasPrefix(symbols[goarch][0], "__kernel"):
		t.Skip(e.Err) // arm64 has none
	case errors.Is(e.Err, ErrNoVDSO), errors.Is(e.Err, unix.ENOSYS):
		t.Skipf("a process emulator: %v", e.Err)
	}
	t.Fatalf("%s: %v", call, e.Err)
}

// counterFits reports whether the vDSO reads the clocks from the processor's counter. On other clock sources it
// enters the kernel for all but the coarse ones.
func counterFits(t *testing.T) bool {
	t.Helper()
	b, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	if err != nil {
		t.Fatal(err)
	}
	source := strings.TrimSpace(string(b))
	t.Logf("clock source: %s", source)
	return source == "tsc" || source == "kvm-clock" || source == "arch_sys_counter"
}

// The kernel refuses the calls to this child; what answers all the same is not the kernel. Only the coarse clock
// is refused, because the Go runtime needs others.
func TestVDSODoesNotEnterTheKernel(t *testing.T) {
	if !asChild(t) {
		return
	}
	e := Resolved()
	needs(t, e.ClockGettime, "clock_gettime")
	fits := counterFits(t)
	coarse := uint32(unix.CLOCK_MONOTONIC_COARSE)
	if err := seccomp.Install(
		seccomp.Rule{From: unix.SYS_CLOCK_GETTIME, To: unix.SYS_CLOCK_GETTIME, First: &coarse, Action: unix.SECCOMP_RET_ERRNO | uint32(unix.EXDEV)},
		seccomp.Refuse(unix.SYS_GETTIMEOFDAY, unix.EXDEV),
		seccomp.Refuse(unix.SYS_GETCPU, unix.EXDEV),
	); err != nil {
		t.Fatal(err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts); err != unix.EXDEV {
		t.Fatalf("the filter does not work: %v", err)
	}
	if err := ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts); err != nil {
		t.Error(err)
	}
	var tv unix.Timeval
	if err := Gettimeofday(&tv); fits && (err != nil) == e.Gettimeofday.VDSO() {
		t.Errorf("gettimeofday: %v; but %+v", err, e.Gettimeofday)
	}
	if _, _, err := Getcpu(); (err != nil) == e.Getcpu.VDSO() {
		t.Errorf("getcpu: %v; but %+v", err, e.Getcpu)
	}
}

// A state has its key from a first call; from then on small requests are answered without the kernel.
func TestStateAnswersWithoutTheKernel(t *testing.T) {
	if !asChild(t) {
		return
	}
	needs(t, Resolved().Getrandom, "getrandom")
	state, err := NewState()
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	p := make([]byte, 16)
	if _, err := Getrandom(p, 0, state); err != nil {
		t.Fatal(err)
	}
	if err := seccomp.Install(seccomp.Refuse(unix.SYS_GETRANDOM, unix.EXDEV)); err != nil {
		t.Fatal(err)
	}
	// The kernel changes its own key once a minute or so, and the state must follow: hence one more chance.
	n, err := Getrandom(p, 0, state)
	if err != nil {
		n, err = Getrandom(p, 0, state)
	}
	if n != len(p) || err != nil {
		t.Errorf("with a state: %d, %v", n, err)
	}
	if _, err := Getrandom(p, 0, nil); !errors.Is(err, unix.EXDEV) {
		t.Errorf("without one: %v; want the filter's answer", err)
	}
	if _, err := Getrandom(make([]byte, atOnce+1), 0, state); !errors.Is(err, unix.EXDEV) {
		t.Errorf("for more than the vDSO is asked for: %v; want the filter's answer", err)
	}
	if err := state.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Getrandom(p, 0, state); !errors.Is(err, unix.EXDEV) {
		t.Errorf("with a closed one: %v; want the filter's answer", err)
	}
}
