//go:build linux && (amd64 || arm64)

package workload

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests and numbers of include/uapi/linux/userfaultfd.h.
const (
	uffdAPI       = 0xc018aa3f // UFFDIO_API
	uffdRegister  = 0xc020aa00 // UFFDIO_REGISTER
	uffdCopy      = 0xc028aa03 // UFFDIO_COPY
	uffdUserMode  = 1          // UFFD_USER_MODE_ONLY: what a process without privileges may have
	uffdMissing   = 1          // UFFDIO_REGISTER_MODE_MISSING
	uffdPagefault = 0x12       // UFFD_EVENT_PAGEFAULT
)

// userfault N: reads every page of N bytes that another thread fills through
// userfaultfd(2), one page at a time.
//
// Counts: P faults by exceptions. The kernel handles each twice: the first try
// sends the message, waits and asks for a second, which finds the page. They
// are major faults where the second try knows of the first, and minor ones where
// the first was made under the lock of the mapping alone (since Linux 6.6).
func prepareUserfault(args []string) (body, error) {
	size, err := parsePages(args[0])
	if err != nil {
		return nil, err
	}
	// The reader waits inside a fault, where the scheduler cannot take its
	// processor away, and no collection may wait for it there.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	debug.SetGCPercent(-1)
	return func(r *run) error {
		p, err := mapPages(-1, size, unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		fd, err := registerMissing(p, size)
		if err != nil {
			return err
		}
		up, served := make(chan struct{}), make(chan error, 1)
		go func() {
			runtime.LockOSThread()
			close(up)
			served <- serveMissing(fd, size/pageSize())
		}()
		<-up
		page := pageSize()
		r.phase("read", func() { readPages(p, size, page) })
		return <-served
	}, nil
}

// registerMissing opens a userfaultfd for first touches of [p, p+size).
func registerMissing(p unsafe.Pointer, size uintptr) (fd uintptr, err error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|uffdUserMode, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("userfaultfd", errno)
	}
	api := struct{ api, features, ioctls uint64 }{api: 0xaa}
	if err := ioctl(fd, uffdAPI, unsafe.Pointer(&api)); err != nil {
		return 0, os.NewSyscallError("ioctl UFFDIO_API", err)
	}
	register := struct{ start, length, mode, ioctls uint64 }{start: uint64(uintptr(p)), length: uint64(size), mode: uffdMissing}
	if err := ioctl(fd, uffdRegister, unsafe.Pointer(&register)); err != nil {
		return 0, os.NewSyscallError("ioctl UFFDIO_REGISTER", err)
	}
	return fd, nil
}

// serveMissing fills as many pages as are asked for. It holds its processor
// while it waits: the one that it would come back to may be the reader's.
func serveMissing(fd, pages uintptr) error {
	content := make([]byte, pageSize())
	for served := uintptr(0); served < pages; {
		var msg struct {
			event uint8
			_     [7]byte
			flags uint64
			addr  uint64
			_     uint64
		}
		_, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&msg)), unsafe.Sizeof(msg))
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return os.NewSyscallError("read userfaultfd", errno)
		}
		if msg.event != uffdPagefault {
			return fmt.Errorf("userfaultfd sent event %#x", msg.event)
		}
		fill := struct {
			dst, src, length, mode uint64
			copied                 int64
		}{
			dst: msg.addr &^ uint64(len(content)-1), src: uint64(uintptr(unsafe.Pointer(&content[0]))), length: uint64(len(content)),
		}
		switch err := ioctl(fd, uffdCopy, unsafe.Pointer(&fill)); err {
		case nil:
			served++
		case unix.EEXIST: // asked for again after a signal
		default:
			return os.NewSyscallError("ioctl UFFDIO_COPY", err)
		}
	}
	return nil
}

func ioctl(fd, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
