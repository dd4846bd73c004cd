package epoll

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel keeps the registration of a closed descriptor whose file is open under another number.
func TestGhostOfClosedDescriptorNeitherReportsNorSpins(t *testing.T) {
	for _, reuse := range []bool{false, true} {
		t.Run("number reused "+strconv.FormatBool(reuse), func(t *testing.T) {
			p := newPoller(t)
			r, w := pipe(t)
			alive, aliveW := pipe(t)
			fired, firedW := pipe(t)
			aliveTok, firedTok := add(t, p, alive.fd, In), add(t, p, fired.fd, In|OneShot)
			firedW.write("x")
			expect(t, p, is(firedTok, In))

			dup, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			newEnd(t, dup)
			ghost := add(t, p, r.fd, In)
			number := r.fd
			r.close()
			w.write("x") // level-triggered: reported for ever
			if reuse {
				r2, _ := pipe(t)
				if r2.fd != number {
					t.Fatalf("number %d was not used again", number)
				}
				add(t, p, r2.fd, In)
			} else if err := p.Remove(ghost); !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ENOENT) {
				t.Fatalf("Remove after close: %v", err)
			}
			expect(t, p)
			// The kernel itself says that nothing is ready any more.
			if n, errno := p.kernelWait(make([]Event, 4), 0, nil); n != 0 || errno != 0 {
				t.Errorf("the kernel still reports %d events, %v", n, errno)
			}
			// And the others are as they were: one that is live, one that has fired.
			aliveW.write("y")
			expect(t, p, is(aliveTok, In))
			firedW.close()
			expect(t, p, is(aliveTok, In))
			if err := p.Modify(firedTok, In); err != nil {
				t.Fatal(err)
			}
			expect(t, p, is(aliveTok, In), is(firedTok, In|Hup))
		})
	}
}

// However many wait: a ghost that some of them get while others sleep would have them spin.
func TestGhostIsLaidWhileOthersWait(t *testing.T) {
	p := newPoller(t)
	const waiters = 3
	var wait sync.WaitGroup
	for range waiters {
		wait.Go(func() {
			for {
				switch n, err := p.Wait(make([]Event, 1), -1); {
				case errors.Is(err, ErrClosed):
					return
				case n != 0 || err != nil:
					t.Error(n, err)
				}
			}
		})
	}
	defer wait.Wait()
	defer p.Close()
	inKernel(t, waiters, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	r, w := pipe(t)
	dup, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	newEnd(t, dup)
	ghost := add(t, p, r.fd, In)
	r.close()
	if err := p.Remove(ghost); err == nil {
		t.Fatal("Remove after close succeeded")
	}
	w.write("x")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		laid := p.suspects == 0
		p.mu.Unlock()
		if laid {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the ghost is still there")
		}
	}
	inKernel(t, waiters, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	events := make([]Event, 1)
	if n, errno := p.kernelWait(events, 0, nil); n != 0 || errno != 0 {
		t.Errorf("the kernel reports %v, %v", events[:n], errno)
	}
}

// An event that came together with a ghost is passed on although the set cannot be rebuilt: it may be the only one.
func TestEventBesideAGhostIsNotLost(t *testing.T) {
	p := newPoller(t)
	r, w := pipe(t)
	dup, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	newEnd(t, dup)
	ghost := add(t, p, r.fd, In)
	alive, aliveW := pipe(t)
	tok := add(t, p, alive.fd, In|EdgeTriggered)
	r.close()
	p.Remove(ghost)
	w.write("x")
	aliveW.write("x")

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	events := make([]Event, 4)
	n, err := p.Wait(events, 0)
	_, errAgain := p.Wait(make([]Event, 4), 0)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if n != 1 || err != nil || events[0].Token() != tok {
		t.Errorf("%d events, %v; want that of %v", n, err, tok)
	}
	if !errors.Is(errAgain, unix.EMFILE) {
		t.Errorf("the ghost alone: %v; want EMFILE", errAgain)
	}
	expect(t, p) // laid
}
