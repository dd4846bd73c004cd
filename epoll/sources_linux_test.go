package epoll

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// readyWithin waits for one event of tok.
func readyWithin(t *testing.T, p *Poller, tok Token) {
	t.Helper()
	events := make([]Event, 1)
	if n, err := p.Wait(events, 30*time.Second); n != 1 || err != nil || events[0].Token() != tok || events[0].Events() != In {
		t.Fatalf("%d, %v, %v; want %v", n, err, &events[0], is(tok, In))
	}
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCounterIsReadyWhileNotZero(t *testing.T) {
	p := newPoller(t)
	c, err := NewCounter()
	must(t, c, err)
	defer c.Close()
	tok := add(t, p, c.FD(), In)
	expect(t, p)
	for range 3 {
		if err := c.Add(5); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, p, is(tok, In))
	if n, err := c.Take(); n != 15 || err != nil {
		t.Errorf("%d, %v; want 15", n, err)
	}
	if n, err := c.Take(); n != 0 || err != nil {
		t.Errorf("%d, %v; want 0", n, err)
	}
	expect(t, p)
	if err := c.Add(1<<64 - 1); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Add(2^64-1): %v", err)
	}
	if err := errors.Join(c.Add(1<<64-2), c.Add(1)); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("overflow: %v", err)
	}
}

func TestTimerExpires(t *testing.T) {
	for _, clock := range []Clock{Monotonic, Boottime, Realtime} {
		t.Run("clock "+itoa(int(clock)), func(t *testing.T) {
			p := newPoller(t)
			tm, err := NewTimer(clock)
			must(t, tm, err)
			defer tm.Close()
			tok := add(t, p, tm.FD(), In)
			if n, err := tm.Take(); n != 0 || err != nil {
				t.Errorf("not set: %d, %v", n, err)
			}
			const after = 3 * time.Millisecond
			began := time.Now()
			if err := tm.Set(after, 0); err != nil {
				t.Fatal(err)
			}
			readyWithin(t, p, tok)
			if took := time.Since(began); clock == Monotonic && took < after {
				t.Errorf("expired after %v; want %v", took, after)
			}
			if n, err := tm.Take(); n != 1 || err != nil {
				t.Errorf("%d expirations, %v", n, err)
			}
			if err := tm.Set(0, time.Microsecond); err != nil {
				t.Fatal(err)
			}
			for n := uint64(0); n < 3; {
				readyWithin(t, p, tok)
				more, err := tm.Take()
				must(t, more, err)
				n += more
			}
			if err := tm.Stop(); err != nil {
				t.Fatal(err)
			}
			expect(t, p)
			err = tm.SetAt(time.Now(), 0)
			if clock != Realtime {
				if !errors.Is(err, unix.EINVAL) {
					t.Errorf("SetAt on clock %d: %v; want EINVAL", clock, err)
				}
				return
			}
			must(t, 0, err)
			readyWithin(t, p, tok)
			if err := tm.SetAt(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), 0); err != nil { // no int64 of ns
				t.Fatal(err)
			}
			expect(t, p)
			if err := tm.SetAt(time.Time{}, 0); err != nil { // long ago
				t.Fatal(err)
			}
			readyWithin(t, p, tok)
		})
	}
	if _, err := NewTimer(99); !errors.Is(err, unix.EINVAL) {
		t.Errorf("clock 99: %v", err)
	}
}

func TestProcessIsReadyWhenItHasEnded(t *testing.T) {
	for _, tt := range []struct {
		how    string
		code   int
		signal unix.Signal
	}{
		{"exit", 7, 0},
		{"signal", -1, unix.SIGKILL},
	} {
		t.Run(tt.how, func(t *testing.T) {
			p := newPoller(t)
			executable, err := os.Executable()
			cmd := exec.Command(must(t, executable, err))
			cmd.Env = append(os.Environ(), childEnv+"="+tt.how)
			stdin, err := cmd.StdinPipe()
			must(t, stdin, err)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			child, err := OpenProcess(cmd.Process.Pid)
			must(t, child, err)
			defer child.Close()
			tok := add(t, p, child.FD(), In)
			expect(t, p)
			if _, err := child.Exit(); !errors.Is(err, unix.EAGAIN) {
				t.Errorf("Exit of one that runs: %v; want EAGAIN", err)
			}
			stdin.Close()
			events := make([]Event, 1)
			if n, err := p.Wait(events, 30*time.Second); n != 1 || err != nil || events[0].Events()&In == 0 {
				t.Fatal(n, err, events[0].Events()) // and HUP, since 6.9, when it has been waited for
			}
			if events[0].Token() != tok {
				t.Error(events[0].Token())
			}
			exit, err := child.Exit()
			must(t, exit, err)
			if exit.PID != cmd.Process.Pid || exit.UID != os.Getuid() || exit.Code != tt.code || exit.Signal != tt.signal {
				t.Errorf("%q: %+v", tt.how, exit)
			}
			if exit.Usage.Minflt == 0 {
				t.Error("a process without a page fault")
			}
			if err := child.Signal(0); !errors.Is(err, unix.ESRCH) {
				t.Errorf("signal to the dead: %v", err)
			}
			if _, err := child.Exit(); !errors.Is(err, unix.ECHILD) {
				t.Errorf("second Exit: %v", err)
			}
			cmd.Process.Release() // there is nobody to wait for
		})
	}
	if _, err := OpenProcess(-1); !errors.Is(err, unix.EINVAL) {
		t.Errorf("process -1: %v", err)
	}
}

func TestSignalsTakesThoseOfItsThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	restore, err := BlockSignals(unix.SIGUSR2)
	must(t, restore, err)
	defer restore()
	p := newPoller(t)
	s, err := NewSignals(unix.SIGUSR2)
	must(t, s, err)
	defer s.Close()
	tok := add(t, p, s.FD(), In)
	if _, ok, err := s.Take(); ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	expect(t, p, is(tok, In))
	info, ok, err := s.Take()
	if !ok || err != nil || info.Signo != uint32(unix.SIGUSR2) || info.Pid != uint32(os.Getpid()) || info.Uid != uint32(os.Getuid()) {
		t.Errorf("%+v, %v, %v", info, ok, err)
	}
	expect(t, p)
	if _, err := NewSignals(65); !errors.Is(err, unix.EINVAL) {
		t.Errorf("signal 65: %v", err)
	}
}

func TestWaitMaskLetsASignalIn(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := newPoller(t)
	restore, err := BlockSignals(unix.SIGURG) // the runtime's own: handled, and without effect
	must(t, restore, err)
	defer restore()
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGURG); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Wait(make([]Event, 1), 0); n != 0 || err != nil {
		t.Fatal(n, err) // blocked, and so pending
	}
	if _, err := p.WaitMask(make([]Event, 1), -1, &unix.Sigset_t{}); !errors.Is(err, unix.EINTR) {
		t.Errorf("WaitMask: %v; want EINTR", err)
	}

	// An event that is there comes before the signal, which stays pending until a wait has nothing else.
	r, w := pipe(t)
	tok := add(t, p, r.fd, In)
	w.write("x")
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGURG); err != nil {
		t.Fatal(err)
	}
	events := make([]Event, 1)
	if n, err := p.WaitMask(events, -1, &unix.Sigset_t{}); n != 1 || err != nil || events[0].Token() != tok {
		t.Errorf("WaitMask with an event: %d, %v", n, err)
	}
	r.drain()
	if _, err := p.WaitMask(events, time.Hour, &unix.Sigset_t{}); !errors.Is(err, unix.EINTR) {
		t.Errorf("WaitMask after it: %v; want EINTR", err)
	}
}

func TestWatcherReportsChanges(t *testing.T) {
	p := newPoller(t)
	w, err := NewWatcher()
	must(t, w, err)
	defer w.Close()
	tok := add(t, p, w.FD(), In)
	dir := t.TempDir()
	watch, err := w.Add(dir, unix.IN_CREATE|unix.IN_MOVE|unix.IN_DELETE)
	must(t, watch, err)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b, with a longer name")
	if err := errors.Join(os.WriteFile(a, nil, 0o600), os.Rename(a, b), os.Remove(b)); err != nil {
		t.Fatal(err)
	}
	readyWithin(t, p, tok)
	got, err := w.Take(nil)
	must(t, got, err)
	if len(got) != 4 || got[1].Cookie == 0 || got[1].Cookie != got[2].Cookie {
		t.Fatalf("%+v", got)
	}
	cookie := got[1].Cookie
	if want := []Change{
		{watch, unix.IN_CREATE, 0, "a"},
		{watch, unix.IN_MOVED_FROM, cookie, "a"},
		{watch, unix.IN_MOVED_TO, cookie, "b, with a longer name"},
		{watch, unix.IN_DELETE, 0, "b, with a longer name"},
	}; !slices.Equal(got, want) {
		t.Errorf("%+v; want %+v", got, want)
	}
	if got, err := w.Take(nil); got != nil || err != nil {
		t.Error(got, err)
	}
	if err := w.Remove(watch); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Take(nil); len(got) != 1 || got[0].Mask != unix.IN_IGNORED || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if err := w.Remove(watch); !errors.Is(err, unix.EINVAL) {
		t.Errorf("second Remove: %v", err)
	}
	if _, err := w.Add(b, unix.IN_OPEN); !errors.Is(err, unix.ENOENT) {
		t.Errorf("what is not there: %v", err)
	}
}

func TestClosedSources(t *testing.T) {
	c, err := NewCounter()
	must(t, c, err)
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Take(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Take: %v", err)
	}
	if c.FD() != -1 {
		t.Errorf("descriptor %d", c.FD())
	}
}
