package features

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call makes a system call and returns its error.
func call(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return errno
	}
	return nil
}

// refusedWith makes a call that cannot succeed: where the kernel has it, the error is want.
func refusedWith(want unix.Errno, nr uintptr, args ...uintptr) error {
	err := call(nr, args...)
	if errors.Is(err, want) {
		return nil
	}
	if err == nil {
		err = errors.New("succeeded without sense")
	}
	return err
}

func tryAdvice(t *testing.T, advice int) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	return unix.Madvise(page, advice)
}

// tryPagemapScan scans one page that is there, and expects to be told of it.
func tryPagemapScan(t *testing.T) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	page[0] = 1
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return err
	}
	defer f.Close()
	const request = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)
	const present = 1 << 3     // PAGE_IS_PRESENT
	var region struct{ start, end, categories uint64 }
	arg := struct {
		size, flags, start, end, walkEnd, vec, vecLen, maxPages, inverted, mask, anyOf, returned uint64
	}{size: 96, vec: uint64(uintptr(unsafe.Pointer(&region))), vecLen: 1, mask: present, returned: present}
	arg.start = uint64(uintptr(unsafe.Pointer(&page[0])))
	arg.end = arg.start + uint64(len(page))
	if err := call(unix.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(&arg))); err != nil {
		return err
	}
	if region.start != arg.start || region.categories != present {
		t.Errorf("PAGEMAP_SCAN reported %+v for a page at %#x", region, arg.start)
	}
	return nil
}

// userfaultBits returns the features that a userfaultfd has.
func userfaultBits() (uint64, error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	defer unix.Close(int(fd))
	arg := struct{ api, features, ioctls uint64 }{api: 0xaa}
	const api = 0xc018aa3f // UFFDIO_API
	err := call(unix.SYS_IOCTL, fd, api, uintptr(unsafe.Pointer(&arg)))
	return arg.features, err
}

func tryUserfault(bit int) error {
	bits, err := userfaultBits()
	if err == nil && bits&(1<<bit) == 0 {
		err = errors.New("features " + strconv.FormatUint(bits, 16) + " in hexadecimal lack it")
	}
	return err
}

func tryUserfaultDevice() error {
	f, err := os.OpenFile("/dev/userfaultfd", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func tryBusyPoll(t *testing.T) error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const get = 0x80088a02 // EPIOCGPARAMS
	var params [8]byte
	return call(unix.SYS_IOCTL, uintptr(fd), get, uintptr(unsafe.Pointer(&params)))
}

func tryEpollPwait2(t *testing.T) error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var event unix.EpollEvent
	var none unix.Timespec
	return call(unix.SYS_EPOLL_PWAIT2, uintptr(fd), uintptr(unsafe.Pointer(&event)), 1, uintptr(unsafe.Pointer(&none)))
}

// A ring is a struct io_uring_params, by offset.
type ring [120]byte

// openRing sets up a ring of two entries, and closes it after do.
func openRing(flags uint32, do func(fd uintptr, features uint32) error) error {
	var params ring
	binary.NativeEndian.PutUint32(params[8:], flags)
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 2, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(fd))
	return do(fd, binary.NativeEndian.Uint32(params[20:]))
}

func tryRing(flags, features uint32) error {
	return openRing(flags, func(_ uintptr, got uint32) error {
		if got&features != features {
			return errors.New("features " + strconv.FormatUint(uint64(got), 16) + " in hexadecimal lack it")
		}
		return nil
	})
}

func tryRingBuffers(t *testing.T) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	return openRing(0, func(fd uintptr, _ uint32) error {
		const register = 22 // IORING_REGISTER_PBUF_RING
		arg := struct {
			address      uint64
			entries      uint32
			group, flags uint16
			reserved     [3]uint64
		}{address: uint64(uintptr(unsafe.Pointer(&page[0]))), entries: 8}
		return call(unix.SYS_IO_URING_REGISTER, fd, register, uintptr(unsafe.Pointer(&arg)), 1)
	})
}

func tryProtectionKeys() error {
	key, _, errno := unix.Syscall(unix.SYS_PKEY_ALLOC, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return call(unix.SYS_PKEY_FREE, key)
}

func tryShadowStack() error {
	size := uintptr(os.Getpagesize())
	stack, _, errno := unix.Syscall(unix.SYS_MAP_SHADOW_STACK, 0, size, 0)
	if errno != 0 {
		return errno
	}
	return call(unix.SYS_MUNMAP, stack, size)
}

func tryRingRegWait(t *testing.T) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	const disabled = 1 << 6 // IORING_SETUP_R_DISABLED
	return openRing(disabled, func(fd uintptr, _ uint32) error {
		const register = 34 // IORING_REGISTER_MEM_REGION
		region := &struct {
			address, size uint64
			flags, id     uint32
			offset        uint64
			reserved      [4]uint64
		}{address: uint64(uintptr(unsafe.Pointer(&page[0]))), size: uint64(len(page)), flags: 1} // the program's memory
		arg := struct {
			region, flags uint64
			reserved      [2]uint64
		}{region: uint64(uintptr(unsafe.Pointer(region))), flags: 1} // for registered waits
		err := call(unix.SYS_IO_URING_REGISTER, fd, register, uintptr(unsafe.Pointer(&arg)), 1)
		runtime.KeepAlive(region)
		return err
	})
}
