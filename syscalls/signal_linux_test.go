package syscalls

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMaskIsTheOneThatTheKernelShows(t *testing.T) {
	onThread(func() {
		path := fmt.Sprintf("/proc/self/task/%d/status", unix.Gettid())
		set := SigsetOf(unix.SIGUSR1, unix.SIGWINCH, 40)
		old, err := RtSigprocmask(unix.SIG_BLOCK, &set)
		if err != nil {
			t.Error(err)
		}
		if got := Sigset(readStatus(t, path).hex(t, "SigBlk")); got != old|set {
			t.Errorf("the kernel shows %v; want %v and %v", got, old, set)
		}
		if got, err := RtSigprocmask(unix.SIG_SETMASK, nil); got != old|set || err != nil {
			t.Errorf("blocked are %v, %v", got, err)
		}
		all := ^Sigset(0)
		if _, err := RtSigprocmask(unix.SIG_SETMASK, &all); err != nil {
			t.Error(err)
		}
		if got := Sigset(readStatus(t, path).hex(t, "SigBlk")); got != all&^SigsetOf(unix.SIGKILL, unix.SIGSTOP) {
			t.Errorf("of all signals blocked are %v", got)
		}
		if _, err := RtSigprocmask(unix.SIG_SETMASK, &old); err != nil {
			t.Error(err)
		}
		if got := Sigset(readStatus(t, path).hex(t, "SigBlk")); got != old {
			t.Errorf("the kernel shows %v; want %v", got, old)
		}
		if _, err := RtSigprocmask(7, &set); !isError(err, unix.EINVAL) {
			t.Errorf("an unknown operation: %v", err)
		}
	})
}

func TestActionsAreThoseThatTheKernelShows(t *testing.T) {
	var caught, ignored Sigset
	for sig := unix.Signal(1); sig <= 64; sig++ {
		a, err := GetSigaction(sig)
		if err != nil {
			t.Fatalf("%v: %v", sig, err)
		}
		switch {
		case a.Handler == SIG_IGN:
			ignored |= SigsetOf(sig)
		case a.Handler != SIG_DFL:
			caught |= SigsetOf(sig)
			if a.Flags&SA_ONSTACK == 0 && sig != 32 && sig != 33 { // glibc's own two
				t.Errorf("%v has a handler with %v", sig, a.Flags)
			}
		}
	}
	s := readStatus(t, "/proc/self/status")
	if got := Sigset(s.hex(t, "SigCgt")); got != caught {
		t.Errorf("the kernel shows %v caught; want %v", got, caught)
	}
	if got := Sigset(s.hex(t, "SigIgn")); got != ignored {
		t.Errorf("the kernel shows %v ignored; want %v", got, ignored)
	}
	for _, sig := range []unix.Signal{0, 65} {
		_, err := GetSigaction(sig)
		expect(t, err, unix.EINVAL)
	}
}

func TestActionIsSet(t *testing.T) {
	const sig = unix.Signal(50) // one that nobody here sends
	old, err := SetSigaction(sig, Sigaction{Handler: SIG_IGN, Mask: SigsetOf(unix.SIGUSR1)})
	if err != nil {
		t.Fatal(err)
	}
	if got := Sigset(readStatus(t, "/proc/self/status").hex(t, "SigIgn")); !got.Has(sig) {
		t.Errorf("the kernel shows %v ignored", got)
	}
	if err := unix.Kill(os.Getpid(), sig); err != nil { // which would end the process or reach Go's handler
		t.Error(err)
	}
	got, err := SetSigaction(sig, old)
	if got.Handler != SIG_IGN || got.Mask != SigsetOf(unix.SIGUSR1) || err != nil {
		t.Errorf("it was %+v, %v", got, err)
	}
	if got, err := GetSigaction(sig); got != old || err != nil {
		t.Errorf("it is %+v again, %v; want %+v", got, err, old)
	}
	_, err = SetSigaction(unix.SIGKILL, Sigaction{Handler: SIG_IGN})
	expect(t, err, unix.EINVAL)
	if _, err = SetSigaction(sig, Sigaction{Handler: old.Handler + 16}); !errors.Is(err, ErrNotOnStack) {
		t.Errorf("a handler on a goroutine's stack: %v", err)
	}
}

// Go's own handler is installed again with the restorer of this package, through which every signal then returns.
func TestHandlerReturnsThroughTheRestorer(t *testing.T) {
	const sig = unix.SIGUSR2
	came := make(chan os.Signal, 1)
	signal.Notify(came, sig)
	defer signal.Stop(came)
	was, err := GetSigaction(sig)
	if err != nil {
		t.Fatal(err)
	}
	a := was
	a.Flags &^= SA_RESTORER
	a.Restorer = 0
	if _, err := SetSigaction(sig, a); err != nil {
		t.Fatal(err)
	}
	now, err := SetSigaction(sig, was)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH == "amd64" && (now.Flags&SA_RESTORER == 0 || now.Restorer == 0 || now.Restorer == was.Restorer) {
		t.Errorf("the restorer was %#x, and is %#x with %v", was.Restorer, now.Restorer, now.Flags)
	}
	if _, err := SetSigaction(sig, a); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := unix.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		<-came
	}
	if _, err := SetSigaction(sig, was); err != nil {
		t.Fatal(err)
	}
}

func TestSignalStackIsMapped(t *testing.T) {
	onThread(func() {
		s, err := Sigaltstack()
		if err != nil {
			t.Error(err)
		}
		if s.Flags != 0 || s.Size < 2048 {
			t.Errorf("the signal stack is %+v (%v)", s, s.Flags)
		}
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(string(maps)) {
			var from, to uintptr
			var access string
			if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err != nil {
				t.Error(err)
			}
			if from <= s.Base && s.Base+uintptr(s.Size) <= to && access == "rw-p" {
				return
			}
		}
		t.Errorf("no mapping holds the signal stack %+v", s)
	})
}

func TestSignalFlagsAreNamed(t *testing.T) {
	for _, tt := range []struct {
		got  fmt.Stringer
		want string
	}{
		{SigsetOf(unix.SIGHUP, unix.SIGSYS, 40, 0, 65), "SIGHUP|SIGSYS|signal 40"},
		{Sigset(0), "0"},
		{SA_SIGINFO | SA_ONSTACK | 8, "SA_SIGINFO|SA_ONSTACK|0x8"},
		{SS_DISABLE, "SS_DISABLE"},
	} {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestSignalMirrors(t *testing.T) {
	t.Run("Sigaction", func(t *testing.T) {
		checkLayout(t, Sigaction{}, "sigaction", map[string]string{"Handler": "sa_handler", "Flags": "sa_flags", "Restorer": "sa_restorer", "Mask": "sa_mask"})
	})
	t.Run("SignalStack", func(t *testing.T) {
		checkLayout(t, SignalStack{}, "sigaltstack", map[string]string{"Base": "ss_sp", "Flags": "ss_flags", "Size": "ss_size"})
	})
}
