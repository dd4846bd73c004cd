package mmu

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// An Advice is what madvise(2) is told. Advices that are not named here can be given too, as the kernel's numbers.
type Advice int

// Advices. Those marked with a star discard the contents.
const (
	AdviseNormal     Advice = unix.MADV_NORMAL
	AdviseRandom     Advice = unix.MADV_RANDOM
	AdviseSequential Advice = unix.MADV_SEQUENTIAL
	AdviseWillNeed   Advice = unix.MADV_WILLNEED
	AdviseDontNeed   Advice = unix.MADV_DONTNEED   // * zeros, or the file's contents, come when next touched
	AdviseFree       Advice = unix.MADV_FREE       // * when memory is short; private anonymous only
	AdviseRemove     Advice = unix.MADV_REMOVE     // * punches a hole in the file; shared only
	AdviseHuge       Advice = unix.MADV_HUGEPAGE   // transparent huge pages, where the host allows them by advice
	AdviseNoHuge     Advice = unix.MADV_NOHUGEPAGE // none
	AdviseCollapse   Advice = unix.MADV_COLLAPSE   // huge pages now (Linux 6.1)
	AdviseMergeable  Advice = unix.MADV_MERGEABLE  // with equal pages
	AdviseCold       Advice = unix.MADV_COLD       // may be reclaimed early (Linux 5.4)
	AdvisePageOut    Advice = unix.MADV_PAGEOUT    // reclaim now (Linux 5.4)
	AdviseNoDump     Advice = unix.MADV_DONTDUMP
	AdviseNoFork     Advice = unix.MADV_DONTFORK
	AdviseWipeOnFork Advice = unix.MADV_WIPEONFORK
	AdviseGuard      Advice = 102 // * a fault at each touch, without a mapping of its own (Linux 6.13)
	AdviseUnguard    Advice = 103 // takes that back (Linux 6.13)
)

// discards reports whether contents are lost.
func (a Advice) discards() bool {
	const dontNeedLocked = 24
	switch a {
	case AdviseDontNeed, AdviseFree, AdviseRemove, AdviseGuard, dontNeedLocked:
		return true
	}
	return false
}

// Advise gives advice on n bytes from off on. Where that discards contents it is for the pages that lie wholly
// inside the range, and so perhaps for none; otherwise for all that the range touches. An advice that the kernel does
// not know gives an error that matches [errors.ErrUnsupported].
func (m *Mapping) Advise(off int64, n int, a Advice) error {
	err := m.onPages("madvise", off, n, a.discards(), func(addr, size uintptr) unix.Errno {
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, addr, size, uintptr(a))
		return errno
	})
	if errors.Is(err, unix.EINVAL) && !m.knows(a) {
		err = fmt.Errorf("advice %d: %w: %w", a, err, errors.ErrUnsupported)
	}
	return err
}

// knows asks on a range of nothing: the kernel looks at the advice first.
func (m *Mapping) knows(a Advice) bool {
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, 0, 0, uintptr(a))
	return errno != unix.EINVAL
}

// Protect sets what may be done with n bytes from off on, and with the rest of the pages that they touch: Readable,
// Writable and Executable, or 0 for nothing.
func (m *Mapping) Protect(off int64, n int, p Perms) error {
	return m.onPages("mprotect", off, n, false, func(addr, size uintptr) unix.Errno {
		_, _, errno := unix.Syscall(unix.SYS_MPROTECT, addr, size, uintptr(protection(p)))
		return errno
	})
}

// Populate brings the pages that n bytes from off on touch, as if each was read or written; protection has to
// allow that. Needs Linux 5.14.
func (m *Mapping) Populate(off int64, n int, write bool) error {
	advice := unix.MADV_POPULATE_READ
	if write {
		advice = unix.MADV_POPULATE_WRITE
	}
	return m.onPages("madvise", off, n, false, func(addr, size uintptr) (errno unix.Errno) {
		for {
			if _, _, errno = unix.Syscall(unix.SYS_MADVISE, addr, size, uintptr(advice)); errno != unix.EINTR {
				return errno
			}
		}
	})
}

// Lock brings the pages that n bytes from off on touch and keeps them from being swapped, within RLIMIT_MEMLOCK or
// with CAP_IPC_LOCK. Unlock takes that back, however often they were locked.
func (m *Mapping) Lock(off int64, n int) error {
	return m.onPages("mlock", off, n, false, func(addr, size uintptr) unix.Errno {
		_, _, errno := unix.Syscall(unix.SYS_MLOCK, addr, size, 0)
		return errno
	})
}

// Unlock undoes [Mapping.Lock].
func (m *Mapping) Unlock(off int64, n int) error {
	return m.onPages("munlock", off, n, false, func(addr, size uintptr) unix.Errno {
		_, _, errno := unix.Syscall(unix.SYS_MUNLOCK, addr, size, 0)
		return errno
	})
}

// Sync waits until stores to n bytes from off on, and to the rest of the pages that they touch, have reached the
// file (msync with MS_SYNC).
func (m *Mapping) Sync(off int64, n int) error {
	return m.onPages("msync", off, n, false, func(addr, size uintptr) unix.Errno {
		_, _, errno := unix.Syscall(unix.SYS_MSYNC, addr, size, unix.MS_SYNC)
		return errno
	})
}

// Seal forbids for good to unmap, move, shrink or protect the mapping in another way, in this process (mseal, Linux
// 6.10). The error matches [errors.ErrUnsupported] on older kernels.
func (m *Mapping) Seal() error {
	const sysMseal = 462 // the same on all architectures
	err := m.onPages("mseal", 0, m.Len(), false, func(addr, size uintptr) unix.Errno {
		_, _, errno := unix.Syscall(sysMseal, addr, size, 0)
		return errno
	})
	if errors.Is(err, unix.ENOSYS) {
		err = fmt.Errorf("mseal: came with Linux 6.10: %w", errors.ErrUnsupported)
	}
	return err
}

// SealFile adds seals to a memfd: F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE and others of fcntl(2), for everybody who
// has it open. F_SEAL_WRITE is refused with EBUSY while there are shared mappings that can be written to.
func (m *Mapping) SealFile(seals int) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	switch {
	case m.closed:
		return ErrClosed
	case m.file == nil:
		return fmt.Errorf("seal: no memfd: %w", os.ErrInvalid)
	}
	conn, err := m.file.SyscallConn()
	if err != nil {
		return err
	}
	controlErr := conn.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_ADD_SEALS, seals) })
	return errors.Join(controlErr, os.NewSyscallError("fcntl F_ADD_SEALS", err))
}

// Remap makes the mapping length bytes long, at another address where there is no room. It waits for calls that are
// under way. Contents stay; what is added is zeros or more of the file. The file of a memfd is not made longer.
func (m *Mapping) Remap(length int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if length <= 0 {
		return fmt.Errorf("remap to %d bytes: %w", length, os.ErrInvalid)
	}
	size := m.roundUp(m.skip + uintptr(length))
	if size < uintptr(length) {
		return fmt.Errorf("remap to %d bytes: %w", length, unix.ENOMEM)
	}
	if size != m.size {
		addr, _, errno := unix.Syscall6(unix.SYS_MREMAP, m.base-m.skip, m.size, size, unix.MREMAP_MAYMOVE, 0, 0)
		if errno != 0 {
			return os.NewSyscallError("mremap", errno)
		}
		m.base, m.size = addr+m.skip, size
	}
	m.length = length
	return nil
}

// onPages calls do with the pages that n bytes from off on touch or, for inside, that lie wholly among them.
func (m *Mapping) onPages(call string, off int64, n int, inside bool, do func(addr, size uintptr) unix.Errno) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	switch {
	case m.closed:
		return ErrClosed
	case off < 0, n < 0, off > int64(m.length), n > m.length-int(off):
		return fmt.Errorf("%s %d bytes from %d of %d: %w", call, n, off, m.length, os.ErrInvalid)
	}
	start, end := m.base+uintptr(off), m.base+uintptr(off)+uintptr(n)
	if whole := m.own && off == 0 && n == m.length; inside && !whole {
		start, end = m.roundUp(start), end&^(m.page-1)
	} else {
		start, end = start&^(m.page-1), m.roundUp(end)
	}
	if n == 0 || start >= end {
		return nil
	}
	if errno := do(start, end-start); errno != 0 {
		return os.NewSyscallError(call, errno)
	}
	return nil
}
