//go:build amd64 || arm64

package pagefault

import (
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Causes returns all of them.
func Causes() []Cause {
	minor, major, failed := Counts{Minor: 1}, Counts{Major: 1}, Counts{Failed: 1}
	read, write := AccessRead, AccessWrite
	return []Cause{
		{Name: "first-touch write", Does: "writes to private memory that nobody has touched",
			Class: Class{MemoryAnon, EventFirstTouch, write, false}, Each: minor, shuffled: true, prepare: prepareAnon(touchStore)},
		{Name: "first-touch read", Does: "reads private memory that nobody has touched: the zero page",
			Class: Class{MemoryAnon, EventFirstTouch, read, false}, Each: minor, shuffled: true, prepare: prepareAnon(touchLoad)},
		{Name: "zero-page write", Does: "writes to private memory that has been read only",
			Class: Class{MemoryAnon, EventCopyOnWrite, write, false}, Each: minor, shuffled: true, prepare: prepareZeroPage},
		{Name: "fork copy-on-write", Does: "writes to private memory that a forked child has too",
			Class: Class{MemoryAnon, EventCopyOnWrite, write, false}, Each: minor, shuffled: true, inChild: true, prepare: prepareForked},
		{Name: "stack growth", Does: "writes below a mapping that grows down, page by page",
			Class: Class{MemoryAnon, EventFirstTouch, write, false}, Each: minor, prepare: prepareStack},
		{Name: "huge page", Does: "writes to private memory that the kernel gives in huge pages",
			Class: Class{MemoryAnon, EventHuge, write, false}, Each: minor, shuffled: true, prepare: prepareHuge},
		{Name: "hugetlb", Does: "writes to private memory in huge pages that were reserved",
			Class: Class{MemoryHugetlb, EventFirstTouch, write, false}, Each: minor, shuffled: true, prepare: prepareHugetlb},
		{Name: "shared write", Does: "writes to shared memory that nobody has touched",
			Class: Class{MemoryShmem, EventFirstTouch, write, false}, Each: minor, shuffled: true, prepare: prepareShared(touchStore)},
		{Name: "shared read", Does: "reads shared memory that nobody has touched",
			Class: Class{MemoryShmem, EventFirstTouch, read, false}, Each: minor, shuffled: true, prepare: prepareShared(touchLoad)},
		{Name: "file minor", Does: "reads a mapped file that is in the page cache",
			Class: Class{MemoryFile, EventFirstTouch, read, false}, Each: minor, shuffled: true, prepare: prepareFileMinor},
		{Name: "file major", Does: "reads a mapped file that is on the disk alone",
			Class: Class{MemoryFile, EventFirstTouch, read, true}, Each: major, shuffled: true, prepare: prepareFileMajor},
		{Name: "file copy-on-write", Does: "writes to a private mapping of a file",
			Class: Class{MemoryFile, EventCopyOnWrite, write, false}, Each: minor, shuffled: true, prepare: prepareFilePrivate},
		{Name: "file write-protect", Does: "writes to a shared mapping of a file that has been read only",
			Class: Class{MemoryFile, EventWriteProtect, write, false}, Each: minor, shuffled: true, prepare: prepareFileShared},
		{Name: "swap-in", Does: "reads private memory that was swapped out",
			Class: Class{MemoryAnon, EventSwapIn, read, true}, Each: major, shuffled: true, prepare: prepareSwap},
		{Name: "NUMA hint", Does: "reads memory that the kernel has unmapped to see which node wants it",
			Class: Class{MemoryAnon, EventUnknown, read, false}, Each: minor, shuffled: true, prepare: prepareHint},
		{Name: "userfault missing", Does: "reads memory whose pages another process serves (userfaultfd)",
			Class: Class{MemoryAnon, EventUserfault, read, true}, Each: major, shuffled: true, inChild: true, prepare: prepareUserfault, userfault: ServeMissing},
		{Name: "userfault write-protect", Does: "writes to pages that another process protects (userfaultfd)",
			Class: Class{MemoryAnon, EventUserfault, write, true}, Each: major, shuffled: true, inChild: true, prepare: prepareUserfault, userfault: ServeMissing | ServeWriteProtect},
		{Name: "system call", Does: "hands an address without access to the kernel: EFAULT",
			Class: Class{MemoryAnon, EventFixedUp, read, false}, Each: Counts{FixedUp: 1}, prepare: prepareSystemCall},

		{Name: "no access", Does: "reads a PROT_NONE page", Class: Class{MemoryAnon, EventFailed, read, false},
			Each: failed, Signal: unix.SIGSEGV, inChild: true, prepare: prepareBad(protectNone, false)},
		{Name: "read-only", Does: "writes to a PROT_READ page", Class: Class{MemoryAnon, EventFailed, write, false},
			Each: failed, Signal: unix.SIGSEGV, inChild: true, prepare: prepareBad(protectRead, true)},
		{Name: "unmapped", Does: "reads where no mapping is", Class: Class{MemoryUnknown, EventFailed, read, false},
			Each: failed, Signal: unix.SIGSEGV, inChild: true, prepare: prepareBad(unmapped, false)},
		{Name: "beyond end of file", Does: "reads a mapped page behind the end of the file", Class: Class{MemoryShmem, EventFailed, read, false},
			Each: failed, Signal: unix.SIGBUS, inChild: true, prepare: prepareBad(beyondEnd, false)},
		{Name: "kernel address", Does: "reads an address of the kernel's half", Class: Class{MemoryUnknown, EventFailed, read, false},
			Each: failed, Signal: unix.SIGSEGV, inChild: true, prepare: prepareBad(constant(kernelAddress), false)},
		{Name: "non-canonical", Does: "reads an address that no page table reaches (amd64: #GP, no page fault)",
			Class: nonCanonicalClass, Each: nonCanonicalEach,
			Signal: unix.SIGSEGV, inChild: true, prepare: prepareBad(constant(nonCanonicalAddress), false)},
	}
}

func pageLength() uintptr { return uintptr(os.Getpagesize()) }

// anonymous maps private memory without huge pages, a page for each touch.
func (s *scene) anonymous() ([]byte, error) {
	return s.mapped(-1, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, pageLength())
}

// mapped maps memory with one page to touch in each stride.
func (s *scene) mapped(fd, flags int, stride uintptr) ([]byte, error) {
	m, err := mapRegion(fd, int64(stride)*int64(len(s.addrs)), flags)
	if err != nil {
		return nil, err
	}
	s.later(func() error { return unmapRegion(m) })
	if err := unix.Madvise(m, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return nil, os.NewSyscallError("madvise MADV_NOHUGEPAGE", err)
	}
	s.pages(addressOf(m), stride)
	return m, nil
}

func prepareAnon(how touch) func(*scene) error {
	return func(s *scene) error {
		s.touch = how
		_, err := s.anonymous()
		return err
	}
}

func prepareZeroPage(s *scene) error {
	s.touch = touchStore
	_, err := s.anonymous()
	for _, addr := range s.addrs {
		loadByte(addr)
	}
	return err
}

func prepareShared(how touch) func(*scene) error {
	return func(s *scene) error {
		s.touch = how
		_, err := s.mapped(-1, unix.MAP_SHARED|unix.MAP_ANONYMOUS, pageLength())
		return err
	}
}

// prepareStack leaves room below a mapping that grows down, as the kernel leaves it below the stack: more than its
// gap of 256 pages to whatever is there.
func prepareStack(s *scene) error {
	page := pageLength()
	gap := 512 * page
	length := gap + uintptr(len(s.addrs)+1)*page
	room, err := mapRegion(-1, int64(length), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	top := addressOf(room) + length - page
	if err := unmapRegion(room); err != nil {
		return err
	}
	// Where another thread has mapped something there in the meantime, this fails, or the growth does.
	_, _, errno := unix.Syscall6(unix.SYS_MMAP, top, page, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_GROWSDOWN|unix.MAP_FIXED_NOREPLACE, ^uintptr(0), 0)
	if errno != 0 {
		return os.NewSyscallError("mmap MAP_GROWSDOWN", errno)
	}
	s.later(func() error {
		bottom := top - uintptr(len(s.addrs))*page
		_, _, errno := unix.Syscall(unix.SYS_MUNMAP, bottom, top+page-bottom, 0)
		if errno != 0 {
			return os.NewSyscallError("munmap", errno)
		}
		return nil
	})
	for i := range s.addrs {
		s.addrs[i] = top - uintptr(i+1)*page
	}
	s.touch = touchStore
	return nil
}

// hugeLength is what a transparent huge page is here.
func (s *scene) hugeLength() (uintptr, error) {
	const dir = "/sys/kernel/mm/transparent_hugepage/"
	enabled, err := os.ReadFile(dir + "enabled")
	if err != nil || strings.Contains(string(enabled), "[never]") {
		return 0, s.cannot("transparent huge pages are off", err)
	}
	text, err := os.ReadFile(dir + "hpage_pmd_size")
	if err != nil {
		return 0, s.cannot("the kernel does not say how large its huge pages are", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return uintptr(n), err
}

// hugeMax keeps a large count from taking a machine's memory: causes of huge pages take fewer then.
const hugeMax = 16

func prepareHuge(s *scene) error {
	unit, err := s.hugeLength()
	if err != nil {
		return err
	}
	s.addrs = s.addrs[:min(len(s.addrs), hugeMax)]
	m, err := mapRegion(-1, int64(unit)*int64(len(s.addrs)+1), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	s.later(func() error { return unmapRegion(m) })
	if err := unix.Madvise(m, unix.MADV_HUGEPAGE); err != nil {
		return s.cannot("the kernel gives no huge pages", err)
	}
	s.pages((addressOf(m)+unit-1)&^(unit-1), unit)
	s.touch = touchStore
	// Once beforehand: where memory is in pieces the kernel moves pages to make a huge one, this thread's too, and each
	// that it moved is a fault. What is given back is there in one piece.
	for _, addr := range s.addrs {
		storeByte(addr)
	}
	return os.NewSyscallError("madvise MADV_DONTNEED", unix.Madvise(m, unix.MADV_DONTNEED))
}

// prepareSystemCall has the kernel read a byte that it may not: it answers with an error.
func prepareSystemCall(s *scene) error {
	addr, err := protectNone()
	if err != nil {
		return err
	}
	s.later(func() error {
		return unmapRegion(unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), pageLength()))
	})
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	s.later(func() error { return unix.Close(pipe[0]) })
	s.later(func() error { return unix.Close(pipe[1]) })
	s.pages(addr, 0)
	s.touch, s.fd = touchSystemCall, uintptr(pipe[1])
	return nil
}

// prepareBad is for addresses that end in a signal. It runs in a child, whose mappings end with it.
func prepareBad(where func() (uintptr, error), write bool) func(*scene) error {
	return func(s *scene) error {
		addr, err := where()
		if err != nil {
			return err
		}
		s.pages(addr, 0)
		s.touch = touchLoadSkipping
		if write {
			s.touch = touchStoreSkipping
		}
		if err := handle(unix.SIGBUS, handlerSkips); err != nil {
			return err
		}
		return handle(unix.SIGSEGV, handlerSkips)
	}
}
