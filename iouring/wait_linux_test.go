package iouring

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWaitEndsWithItsTimeout(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		rd, _ := pipe(t)
		start(t, r, func(e Entry) error { return e.Read(rd.fd, make([]byte, 1), -1) })
		from := time.Now()
		n, err := r.SubmitAndWait(1, 50*time.Millisecond)
		if n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if d := time.Since(from); d < 50*time.Millisecond {
			t.Errorf("waited %v", d)
		}
		if n, err := r.SubmitAndWait(1, 0); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		_, err = r.SubmitAndWait(-1, 0)
		want(t, err, unix.EINVAL)
		_, err = r.SubmitAndWait(1<<20, 0)
		want(t, err, unix.EINVAL)
	})
}

func TestWaitReturnsWhatCameBeforeTheTimeout(t *testing.T) {
	r := newRing(t, Options{})
	must(t, get(t, r).Nop())
	n, err := r.SubmitAndWait(2, 20*time.Millisecond)
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

func TestMinTimeoutIsEnoughWithOne(t *testing.T) {
	r := newRing(t, Options{})
	must(t, get(t, r).Nop())
	rd, _ := pipe(t)
	start(t, r, func(e Entry) error { return e.Read(rd.fd, make([]byte, 1), -1) })
	from := time.Now()
	n, err := r.SubmitAndWaitFor(Wait{N: 2, Timeout: longest, MinTimeout: 30 * time.Millisecond})
	if err != nil {
		missing(t, 6, 12, err)
	}
	if n != 1 || time.Since(from) < 30*time.Millisecond {
		t.Errorf("%d ready after %v", n, time.Since(from))
	}
}

// TestSignalsDoNotEndAWait interrupts the waiting thread again and again.
func TestSignalsDoNotEndAWait(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		rd, w := pipe(t)
		start(t, r, func(e Entry) error { return e.Read(rd.fd, make([]byte, 1), -1) })
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid := unix.Gettid()
		signals := make(chan os.Signal, 1000)
		signal.Notify(signals, unix.SIGUSR1)
		defer signal.Stop(signals)
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 100 {
				unix.Tgkill(unix.Getpid(), tid, unix.SIGUSR1)
				<-signals
			}
			w.write("x")
		})
		n, err := r.SubmitAndWait(1, longest)
		wg.Wait()
		if n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
}

func TestASignalMaskHoldsDuringTheWait(t *testing.T) {
	r := newRing(t, Options{})
	rd, w := pipe(t)
	start(t, r, func(e Entry) error { return e.Read(rd.fd, make([]byte, 1), -1) })
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := unix.Gettid()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGUSR1)
	defer signal.Stop(signals)
	var mask unix.Sigset_t
	mask.Val[0] = ^uint64(0)
	unix.Tgkill(unix.Getpid(), tid, unix.SIGUSR1)
	<-signals // handled before
	var wg sync.WaitGroup
	wg.Go(func() {
		inKernel(t, tid, unix.SYS_IO_URING_ENTER)
		unix.Tgkill(unix.Getpid(), tid, unix.SIGUSR1) // stays pending
		if !pending(tid, unix.SIGUSR1) {
			t.Error("the signal was not blocked")
		}
		w.write("x")
	})
	n, err := r.SubmitAndWaitFor(Wait{N: 1, Timeout: longest, Mask: &mask})
	wg.Wait()
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	<-signals // and came when the wait was over
	next(t, r)
	mask = unix.Sigset_t{}
	start(t, r, func(e Entry) error { return e.Read(rd.fd, make([]byte, 1), -1) })
	wg.Go(func() {
		inKernel(t, tid, unix.SYS_IO_URING_ENTER)
		unix.Tgkill(unix.Getpid(), tid, unix.SIGUSR1)
	})
	_, err = r.SubmitAndWaitFor(Wait{N: 1, Timeout: longest, Mask: &mask})
	wg.Wait()
	want(t, err, unix.EINTR)
}

// TestOverflowLosesNothing makes more completions than there is room for.
func TestOverflowLosesNothing(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			o := k.options
			o.Entries, o.CQEntries = 4, 8
			r := newRing(t, o)
			expected := make(map[Token]bool)
			const rounds = 16
			for range rounds {
				for range 4 {
					e := get(t, r)
					must(t, e.Nop())
					expected[e.Token()] = true
				}
				if _, err := r.Submit(); err != nil {
					want(t, err, unix.EBUSY) // enough for now
					break
				}
				for r.sqpoll && r.Room() < 4 {
					runtime.Gosched()
				}
			}
			for len(expected) > 0 {
				c := next(t, r)
				if !expected[c.Token] {
					t.Fatalf("completion %v twice, or of nobody", c)
				}
				delete(expected, c.Token)
			}
			none(t, r)
		})
	}
}
