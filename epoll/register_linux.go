package epoll

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Add registers fd: Wait reports when one of the conditions in events is met, in the mode that is in events
// too. A Wait under way in another goroutine may return the Token before Add does.
//
// Remove a registration before fd is closed. Where that was forgotten and fd's number is another file's by
// now, Add ends the old registration.
//
// Errors: EEXIST where fd is registered; EPERM where it cannot be waited for, as with a file on disk or a
// directory; ENOSPC at /proc/sys/fs/epoll/max_user_watches; ELOOP, EINVAL where fd is a Poller's own or
// closes a circle of pollers; EBADF. Source: epoll_ctl(2).
func (p *Poller) Add(fd int, events Events) (Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return 0, ErrClosed
	}
	if fd != int(int32(fd)) { // the kernel would take the low half
		return 0, os.NewSyscallError("epoll_ctl", unix.EBADF)
	}
	if fd == p.wakefd { // in the set already, as part of the Poller
		return 0, os.NewSyscallError("epoll_ctl", unix.EINVAL)
	}
	tok := p.table.next() // into the table only when the kernel has it
	if err := control(p.epfd, unix.EPOLL_CTL_ADD, fd, events, tok); err != nil {
		return 0, err
	}
	if p.table.add(fd) {
		p.suspects++
	}
	return tok, nil
}

// Modify changes what a registration waits for and its mode, and enables a one-shot again. A condition that
// is met at this moment is reported, edge-triggered or not.
//
// Errors: [ErrStale]; EINVAL for a registration with [Exclusive]; ENOENT, EBADF where the descriptor was
// closed. Source: epoll_ctl(2).
func (p *Poller) Modify(t Token, events Events) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.slot(t)
	if err != nil {
		return err
	}
	if err := control(p.epfd, unix.EPOLL_CTL_MOD, int(s.fd), events, t); err != nil {
		return err
	}
	s.muted = false
	return nil
}

// Remove ends a registration: no later Wait returns its Token, whatever Remove returns. Call it before the
// descriptor is closed. The other order is an error, ENOENT or EBADF: while a duplicate of the descriptor
// is open, here or in a child, the kernel keeps the registration. The Poller then has to make a new epoll
// instance, which it does when such an event wakes it.
//
// Errors: [ErrStale], and those. Source: epoll_ctl(2), epoll(7) "Questions and answers".
func (p *Poller) Remove(t Token) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.slot(t)
	if err != nil {
		return err
	}
	if err = control(p.epfd, unix.EPOLL_CTL_DEL, int(s.fd), 0, t); err != nil {
		p.suspects++
	}
	p.table.remove(t)
	return err
}

// Live reports whether the registration has not ended. Between Wait and the handling of an event, the
// handling of an earlier one may have ended it.
func (p *Poller) Live(t Token) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.table.get(t) != nil
}

// slot finds a registration. The caller holds p.mu.
func (p *Poller) slot(t Token) (*slot, error) {
	if p.closed.Load() {
		return nil, ErrClosed
	}
	if s := p.table.get(t); s != nil {
		return s, nil
	}
	return nil, ErrStale
}

// control is epoll_ctl(2). It does not block.
func control(epfd, op, fd int, events Events, t Token) error {
	ev := Event{events: events, slot: uint32(t), generation: t.generation()}
	_, _, errno := syscalls.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&ev)), 0, 0) // the kernel copies ev before it returns
	if errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	return nil
}
