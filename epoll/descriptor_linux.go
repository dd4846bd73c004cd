package epoll

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A descriptor is what the sources have in common: one that is non-blocking, close-on-exec, and stays open
// while a method uses it.
type descriptor struct {
	mu sync.RWMutex
	fd int // -1: closed
}

// FD returns the descriptor, to register with a [Poller], or -1 after Close. It is the source's to close:
// remove it from pollers before.
func (d *descriptor) FD() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.fd
}

// Close closes the descriptor. It is idempotent.
func (d *descriptor) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	fd := d.fd
	if fd < 0 {
		return nil
	}
	d.fd = -1
	return os.NewSyscallError("close", unix.Close(fd))
}

// use calls f with the descriptor, again where a signal interrupts it. f does not block.
func (d *descriptor) use(call string, f func(fd int) error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.fd < 0 {
		return os.ErrClosed
	}
	for {
		err := f(d.fd)
		if err == unix.EINTR {
			continue
		}
		return os.NewSyscallError(call, err)
	}
}

// read fills b with one read(2) and returns how much came: nothing where there is nothing to read.
func (d *descriptor) read(b []byte) (n int, err error) {
	err = d.use("read", func(fd int) (err error) {
		n, err = unix.Read(fd, b)
		return err
	})
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return n, nil
}
