package epoll

import (
	"math"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// wakeToken is the kernel's data for the descriptor that Wake writes to. No slot has the number 0.
const wakeToken = Token(math.MaxUint32) << 32

// A Poller is one epoll instance with the table of what is registered. Any number of goroutines may use it
// and wait on it at a time; each event goes to one of those that wait. The zero value is not usable: see [New].
type Poller struct {
	epfd   int
	wakefd int // an eventfd, edge-triggered: a write is an event, and nobody has to read

	woken  atomic.Bool // a wake-up is under way: more of them would say nothing new
	closed atomic.Bool
	coarse atomic.Bool // epoll_pwait2 was refused: wait in milliseconds

	mu      sync.Mutex
	table   table
	waiters int        // inside the kernel, or on their way
	left    *sync.Cond // a waiter has left the kernel, or haunted has changed
	// suspects is how many registrations ended while the kernel may have kept them, which it does for a
	// descriptor that was closed before it was removed and has a duplicate, here or in a child.
	suspects int
	haunted  bool // one of those was reported: nobody waits until the last who did has rebuilt the set
}

// New makes an epoll instance with nothing registered. Both its descriptors are close-on-exec.
// Errors: EMFILE, ENFILE, ENOMEM.
func New() (*Poller, error) {
	p := &Poller{epfd: -1, wakefd: -1}
	p.left = sync.NewCond(&p.mu)
	var err error
	if p.wakefd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("eventfd2", err)
	}
	if p.epfd, err = newSet(p.wakefd); err != nil {
		unix.Close(p.wakefd)
		return nil, err
	}
	return p, nil
}

// newSet makes an epoll instance that wakefd wakes.
func newSet(wakefd int) (int, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	if err := control(epfd, unix.EPOLL_CTL_ADD, wakefd, In|EdgeTriggered, wakeToken); err != nil {
		unix.Close(epfd)
		return -1, err
	}
	return epfd, nil
}

// FD returns the descriptor of the epoll instance, which is readable when an event is pending: for another
// poller or a ring to wait on. It is the Poller's to close. Where the Poller has to make a new instance, see
// [Poller.Remove], it has the same number, but who waits on it must register it anew.
func (p *Poller) FD() int { return p.epfd }

// Wake makes one call of [Poller.Wait] return, one that is under way or else the next. Calls that come
// before it has returned are one wake-up together, and cost no system call. What was written to memory
// before Wake is seen after Wait.
func (p *Poller) Wake() error {
	if p.closed.Load() {
		return ErrClosed
	}
	if p.woken.Swap(true) {
		return nil
	}
	p.mu.Lock() // against Close, or the number may be another's by now
	defer p.mu.Unlock()
	if p.closed.Load() {
		return ErrClosed
	}
	return p.ring()
}

// ring makes the wake descriptor have an event.
func (p *Poller) ring() error {
	one := [8]byte{0: 1}
	for {
		switch _, err := unix.Write(p.wakefd, one[:]); err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EAGAIN: // 2^64-2 wake-ups that nobody had to read
			var sum [8]byte
			unix.Read(p.wakefd, sum[:])
		default:
			return os.NewSyscallError("write", err)
		}
	}
}

// Close makes every call of Wait return [ErrClosed], waits until they have, and closes the instance. It does
// not close what is registered. Close is idempotent; like any method it may be called while others run.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Swap(true) {
		for p.waiters > 0 {
			p.left.Wait()
		}
		return nil
	}
	for p.waiters > 0 {
		// An edge wakes one of those that wait.
		if err := p.ring(); err != nil {
			return err
		}
		p.left.Wait()
	}
	err := os.NewSyscallError("close", unix.Close(p.epfd))
	if errWake := unix.Close(p.wakefd); err == nil {
		err = os.NewSyscallError("close", errWake)
	}
	return err
}
