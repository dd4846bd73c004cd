package iouring

import (
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A Waker ends a ring's wait from any goroutine: an eventfd that the ring reads. MsgRing and [PostMessage] do
// so too, and carry a number; a Waker's calls that come together are one.
type Waker struct {
	mu    sync.RWMutex // against Close, or the number may be another's
	fd    int
	woken atomic.Bool
	count uint64
}

// NewWaker makes a Waker. Errors: EMFILE, ENFILE, ENOMEM.
func NewWaker() (*Waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd2", err)
	}
	return &Waker{fd: fd}, nil
}

// Arm fills in an entry that completes when Wake has been called since the last time. It is to be armed again then,
// and Awake called.
func (w *Waker) Arm(e Entry) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.fd < 0 {
		return ErrClosed
	}
	q, s, err := e.begin(syscalls.IORING_OP_READ)
	if err == nil {
		s.memory = unsafe.Pointer(&w.count)
		q.FD, q.Addr, q.Len = int32(w.fd), address(s.memory), uint32(unsafe.Sizeof(w.count))
	}
	return err
}

// Wake completes the armed entry. Calls before Awake are one, and cost no system call. What was written to memory
// before Wake is seen after Awake.
func (w *Waker) Wake() error {
	if w.woken.Swap(true) {
		return nil
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.fd < 0 {
		return ErrClosed
	}
	one := [8]byte{0: 1}
	for {
		if _, err := unix.Write(w.fd, one[:]); err != unix.EINTR {
			return os.NewSyscallError("write", err)
		}
	}
}

// Awake says that the owner has seen the completion: the next Wake completes the next entry. What has to be looked
// at is looked at after it.
func (w *Waker) Awake() { w.woken.Store(false) }

// Close closes the eventfd. The armed entry, which is not completed by it, is to be dropped, or its ring closed.
func (w *Waker) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return nil
	}
	err := unix.Close(w.fd)
	w.fd = -1
	return os.NewSyscallError("close", err)
}
