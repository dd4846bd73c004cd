package epoll

import (
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// BusyPoll is how a wait polls the queue of a network card before it sleeps, which saves the interrupt and its delay at
// the price of a processor. The zero value does not. It works for sockets whose packets came over one queue that can be
// polled (NAPI); loopback has none. Source: ioctl_eventpoll(2), Documentation/networking/napi.rst.
type BusyPoll struct {
	// For is how long to poll, in whole µs.
	For time.Duration
	// Budget is how many packets to take at a time, the kernel's 8 if 0. More than 64 takes CAP_NET_ADMIN.
	Budget int
	// Prefer keeps the card's interrupts off while it is polled often enough.
	Prefer bool
}

// SetBusyPoll sets how waits poll. A set that is made anew, see [Poller.Remove], keeps it.
//
// Errors: EINVAL for a value out of range, EPERM for a Budget that takes a privilege, ENOTTY before Linux 6.9, EOPNOTSUPP
// where the kernel was built without it (CONFIG_NET_RX_BUSY_POLL); [ErrClosed].
func (p *Poller) SetBusyPoll(b BusyPoll) error {
	us := (b.For + time.Microsecond - 1) / time.Microsecond
	if b.For < 0 || us > math.MaxInt32 || b.Budget < 0 || b.Budget > math.MaxUint16 {
		return os.NewSyscallError("ioctl EPIOCSPARAMS", unix.EINVAL)
	}
	params := syscalls.EpollParams{BusyPollUsecs: uint32(us), BusyPollBudget: uint16(b.Budget)}
	if b.Prefer {
		params.PreferBusyPoll = 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return ErrClosed
	}
	return syscalls.EpollSetParams(p.epfd, &params)
}

// BusyPoll returns what SetBusyPoll has set. Errors: as there.
func (p *Poller) BusyPoll() (BusyPoll, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return BusyPoll{}, ErrClosed
	}
	params, err := syscalls.EpollGetParams(p.epfd)
	return BusyPoll{
		For:    time.Duration(params.BusyPollUsecs) * time.Microsecond,
		Budget: int(params.BusyPollBudget),
		Prefer: params.PreferBusyPoll != 0,
	}, err
}

// copyBusyPoll makes a new set poll as an old one does, where the kernel knows of polling.
func copyBusyPoll(to, from int) error {
	params, err := syscalls.EpollGetParams(from)
	if err != nil || params == (syscalls.EpollParams{}) {
		return nil
	}
	return syscalls.EpollSetParams(to, &params)
}
