//go:build linux && (amd64 || arm64)

package workload

import (
	"fmt"
	"os"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

func pageSize() uintptr { return uintptr(unix.Getpagesize()) }

// writePages stores to the first byte of every page of [p, p+size), in order.
// A forked child calls it too; see fork.
//
//go:norace
//go:nocheckptr
//go:nosplit
//go:noinline
func writePages(p unsafe.Pointer, size, page uintptr) {
	for off := uintptr(0); off < size; off += page {
		*(*byte)(unsafe.Add(p, off)) = 1
	}
}

// readPages loads the first byte of every page of [p, p+size), in order, and
// returns the sum, so that no compiler may leave the loads out.
//
//go:norace
//go:nocheckptr
//go:nosplit
//go:noinline
func readPages(p unsafe.Pointer, size, page uintptr) (sum byte) {
	for off := uintptr(0); off < size; off += page {
		sum += *(*byte)(unsafe.Add(p, off))
	}
	return sum
}

// mapPages maps size bytes of fd, or of nothing where fd is -1, without huge
// pages. Nobody unmaps: the process ends soon, and -hold shows what is there.
func mapPages(fd int, size uintptr, flags int) (unsafe.Pointer, error) {
	if fd < 0 {
		flags |= unix.MAP_ANONYMOUS
	}
	p, err := unix.MmapPtr(fd, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	if err := advise(p, size, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return nil, os.NewSyscallError("madvise", err)
	} // EINVAL: a kernel without huge pages
	return p, nil
}

func advise(p unsafe.Pointer, size uintptr, advice int) error {
	_, _, errno := unix.RawSyscall(unix.SYS_MADVISE, uintptr(p), size, uintptr(advice))
	if errno != 0 {
		return errno
	}
	return nil
}

// touch N: maps N bytes of private anonymous memory and writes to every page.
//
// Counts: P minor faults, all by exceptions (first touch, write).
func prepareTouch(args []string) (body, error) {
	size, err := parsePages(args[0])
	return func(*run) error { return touch(size) }, err
}

func touch(size uintptr) error {
	p, err := mapPages(-1, size, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	writePages(p, size, pageSize())
	return nil
}

// read-zero N: reads every page of N untouched bytes, then writes to every page.
//
// Counts: phase "read" P minor faults, which map the zero page; phase "write" P
// minor faults, which copy it. A kernel without a zero page to share (some guest
// kernels) gives a page of its own on the read, and nothing is left for the write.
func prepareReadZero(args []string) (body, error) {
	size, err := parsePages(args[0])
	return func(r *run) error {
		p, err := mapPages(-1, size, unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		r.readThenWrite("", p, size)
		return nil
	}, err
}

// readThenWrite makes two phases, "read" and "write" after prefix.
func (r *run) readThenWrite(prefix string, p unsafe.Pointer, size uintptr) {
	page := pageSize()
	r.phase(prefix+"read", func() { readPages(p, size, page) })
	r.phase(prefix+"write", func() { writePages(p, size, page) })
}

// fork-cow N: touches N bytes, forks, and the child writes to every page.
//
// Counts: phase "touch" P minor faults. The child P minor faults by copy-on-write
// and a few for its stack and data (see Report.Children). Phase "fork" 1 voluntary
// switch, the wait for the child, and some minor faults: after the fork the parent
// shares its own pages too and faults on each that it writes.
func prepareForkCow(args []string) (body, error) {
	size, err := parsePages(args[0])
	return func(r *run) error {
		p, err := mapPages(-1, size, unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		page := pageSize()
		r.phase("touch", func() { writePages(p, size, page) })
		r.phase("fork", func() {
			err = forkAndReap(&childJob{kind: childWrites, mem: p, size: size, page: page})
		})
		return err
	}, err
}

// shm N [memfd|anon]: maps N bytes shared, of a memfd or of nothing, and writes to
// every page.
//
// Counts: P minor faults.
func prepareShm(args []string) (body, error) {
	size, err := parsePages(args[0])
	if err != nil {
		return nil, err
	}
	if len(args) == 1 || args[1] == "memfd" {
		return func(*run) error { return touchMemfd(size) }, nil
	}
	if args[1] != "anon" {
		return nil, fmt.Errorf("%q: want memfd or anon", args[1])
	}
	return func(*run) error { return touchShared(-1, size) }, nil
}

func touchMemfd(size uintptr) error {
	fd, err := unix.MemfdCreate("ring3-workload", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return os.NewSyscallError("ftruncate", err)
	}
	return touchShared(fd, size)
}

func touchShared(fd int, size uintptr) error {
	p, err := mapPages(fd, size, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	writePages(p, size, pageSize())
	return nil
}

// populate N: maps N bytes of private anonymous memory with MAP_POPULATE.
//
// Counts: P minor faults that no exception raised: the kernel walks the pages
// itself (get_user_pages), inside mmap.
func preparePopulate(args []string) (body, error) {
	size, err := parsePages(args[0])
	return func(*run) error {
		// There is no time between mmap and the faults for MADV_NOHUGEPAGE.
		if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil && err != unix.EINVAL {
			return os.NewSyscallError("prctl", err)
		}
		_, err := mapPages(-1, size, unix.MAP_PRIVATE|unix.MAP_POPULATE)
		return err
	}, err
}

// pvw N: writes N bytes into untouched memory of its own by process_vm_writev.
//
// Counts: P minor faults that no exception raised (get_user_pages), and at most 16
// that one did, for the buffer written from.
func preparePvw(args []string) (body, error) {
	size, err := parsePages(args[0])
	return func(*run) error {
		p, err := mapPages(-1, size, unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		src := make([]byte, 16*pageSize())
		for off := uintptr(0); off < size; {
			n := min(size-off, uintptr(len(src)))
			local := []unix.Iovec{{Base: &src[0], Len: uint64(n)}}
			remote := []unix.RemoteIovec{{Base: uintptr(p) + off, Len: int(n)}}
			written, err := unix.ProcessVMWritev(unix.Getpid(), local, remote, 0)
			if err != nil {
				return os.NewSyscallError("process_vm_writev", err)
			}
			off += uintptr(written)
		}
		return nil
	}, err
}

// failed N: reads memory without access N times and recovers from each SIGSEGV.
//
// Counts: N page-fault exceptions that the kernel cannot serve: no minor and no
// major fault. Each ends in a signal.
func prepareFailed(args []string) (body, error) {
	n, err := parseCount("number of faults", args[0], 1<<30)
	return func(*run) error {
		p, err := mapGuard()
		if err != nil {
			return err
		}
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		for i := range n {
			if addr := faultAddress(p); addr != uintptr(p) {
				return fmt.Errorf("fault %d of %d at %#x, want %p", i, n, addr, p)
			}
		}
		return nil
	}, err
}

// mapGuard maps one page without access.
func mapGuard() (unsafe.Pointer, error) {
	p, err := unix.MmapPtr(-1, 0, nil, pageSize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	return p, os.NewSyscallError("mmap", err)
}

// faultAddress reads from p and returns where that faulted, 0 if it did not.
func faultAddress(p unsafe.Pointer) (addr uintptr) {
	defer func() {
		if f, ok := recover().(interface{ Addr() uintptr }); ok {
			addr = f.Addr()
		}
	}()
	readPages(p, 1, 1)
	return 0
}
