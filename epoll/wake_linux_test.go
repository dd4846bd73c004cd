package epoll

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWakeEndsOneWait(t *testing.T) {
	p := newPoller(t)
	for range 1000 { // all before the wait: one wake-up together
		if err := p.Wake(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := p.Wait(make([]Event, 1), -1); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if n, errno := p.kernelWait(make([]Event, 1), 0, nil); n != 0 || errno != 0 {
		t.Errorf("a second wake-up is pending: %d, %v", n, errno)
	}

	done := make(chan error)
	go func() { _, err := p.Wait(make([]Event, 1), -1); done <- err }()
	inKernel(t, 1, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	if err := p.Wake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNoWakeUpIsLost(t *testing.T) {
	p := newPoller(t)
	const posts = 20_000
	var posted atomic.Int64
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for range posts / 2 {
				posted.Add(1)
				if err := p.Wake(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for seen := int64(0); seen < posts; seen = posted.Load() {
		if _, err := p.Wait(make([]Event, 1), -1); err != nil { // a lost one would be a deadlock
			t.Fatal(err)
		}
	}
	wait.Wait()
}

func TestCloseWakesWaiters(t *testing.T) {
	p := newPoller(t)
	const waiters = 5
	errs := make(chan error, waiters)
	for range waiters {
		go func() { _, err := p.Wait(make([]Event, 1), -1); errs <- err }()
	}
	inKernel(t, waiters, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for range waiters {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Errorf("Wait: %v; want ErrClosed", err)
		}
	}
	_, addErr := p.Add(0, In)
	_, waitErr := p.Wait(make([]Event, 1), 0)
	for _, err := range []error{addErr, waitErr, p.Wake(), p.Modify(1, In), p.Remove(1)} {
		if !errors.Is(err, ErrClosed) || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCloseRacesWithEverything(t *testing.T) {
	for range 50 {
		p := newPoller(t)
		r, _ := pipe(t)
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				for events := make([]Event, 1); ; {
					if _, err := p.Wait(events, time.Hour); err != nil {
						return
					}
				}
			})
		}
		wait.Go(func() {
			for {
				tok, err := p.Add(r.fd, In)
				if err != nil {
					return
				}
				p.Wake()
				if p.Remove(tok) != nil {
					return
				}
			}
		})
		p.Close()
		wait.Wait()
	}
}
