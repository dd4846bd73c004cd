package epoll

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// A Counter is a number that a descriptor stands for: [In] while it is not 0. Whoever shares the descriptor
// adds to it; here, in another process, or the kernel when an operation has completed. Safe for concurrent
// use. Since Linux 2.6.30. Source: eventfd(2).
type Counter struct{ descriptor }

// NewCounter makes a counter of 0. Errors: EMFILE, ENFILE.
func NewCounter() (*Counter, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd2", err)
	}
	return &Counter{descriptor{fd: fd}}, nil
}

// Add adds n. It does not block: EAGAIN where the sum would exceed 2^64-2. Adding 2^64-1 is EINVAL.
func (c *Counter) Add(n uint64) error {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], n)
	return c.use("write", func(fd int) error {
		_, err := unix.Write(fd, b[:])
		return err
	})
}

// Take returns the number and sets it to 0. It does not block: a number of 0 is returned as such.
func (c *Counter) Take() (uint64, error) { return c.readCount() }

// readCount reads the 8 bytes that eventfd and timerfd have to say.
func (d *descriptor) readCount() (uint64, error) {
	var b [8]byte
	n, err := d.read(b[:])
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, nil
	case n != len(b):
		return 0, errShort
	}
	return binary.NativeEndian.Uint64(b[:]), nil
}

var errShort = errors.New("epoll: the kernel gave part of a record")
