//go:build amd64 || arm64

package pagefault

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// window is how far from one touch of a file to the next: the kernel maps what lies around a fault as well, where
// that is in the page cache, in aligned windows of 64 KiB (fault_around_bytes).
const window = 64 << 10

// mappedFile makes a file without a name that has one page in each window, and maps it.
func (s *scene) mappedFile(flags int) (f *os.File, m []byte, err error) {
	f, err = os.CreateTemp(s.opts.Dir, "ring3-fault-*")
	if err != nil {
		return nil, nil, s.cannot("a file cannot be made", err)
	}
	s.later(f.Close)
	if err := os.Remove(f.Name()); err != nil {
		return nil, nil, err
	}
	page := make([]byte, pageLength())
	page[0] = 1
	for i := range s.addrs {
		if _, err := f.WriteAt(page, int64(i)*window); err != nil {
			return nil, nil, s.cannot("a file cannot be filled", err)
		}
	}
	if err := f.Truncate(int64(len(s.addrs)) * window); err != nil {
		return nil, nil, err
	}
	if m, err = s.mapped(int(f.Fd()), flags, window); err != nil {
		return nil, nil, err
	}
	if err := unix.Madvise(m, unix.MADV_RANDOM); err != nil {
		return nil, nil, os.NewSyscallError("madvise MADV_RANDOM", err)
	}
	return f, m, nil
}

// onDisk says whether the file is one that has a disk behind it, and sets the class where it is a kind of shared
// memory.
func (s *scene) onDisk(f *os.File) (bool, error) {
	const tmpfs, ramfs, hugetlbfs = 0x01021994, 0x858458f6, 0x958458f6
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return false, os.NewSyscallError("fstatfs", err)
	}
	switch uint32(st.Type) {
	case tmpfs:
		s.class.Memory = MemoryShmem
		return false, nil
	case ramfs, hugetlbfs:
		return false, nil
	}
	return true, nil
}

func prepareFileMinor(s *scene) error {
	f, _, err := s.mappedFile(unix.MAP_SHARED)
	if err != nil {
		return err
	}
	s.touch = touchLoad
	_, err = s.onDisk(f)
	return err
}

func prepareFilePrivate(s *scene) error {
	f, _, err := s.mappedFile(unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	s.touch = touchStore
	_, err = s.onDisk(f)
	return err
}

// prepareFileShared reads the pages, so that they are mapped, and writes the file back, so that they are clean: only
// then has the file system to be told of a write.
func prepareFileShared(s *scene) error {
	f, _, err := s.mappedFile(unix.MAP_SHARED)
	if err != nil {
		return err
	}
	disk, err := s.onDisk(f)
	if err != nil {
		return err
	}
	if !disk {
		return s.cannot("the file system does not ask for a fault at the first write: it has no disk", nil)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	for _, addr := range s.addrs {
		loadByte(addr)
	}
	s.touch = touchStore
	return nil
}

// prepareFileMajor has the kernel forget the pages, and asks it whether it has.
func prepareFileMajor(s *scene) error {
	f, m, err := s.mappedFile(unix.MAP_SHARED)
	if err != nil {
		return err
	}
	disk, err := s.onDisk(f)
	if err != nil {
		return err
	}
	if !disk {
		return s.cannot("the file system has no disk", nil)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return os.NewSyscallError("fadvise64 POSIX_FADV_DONTNEED", err)
	}
	cached, err := s.inMemory(m, window)
	if err == nil && cached != 0 {
		err = s.cannot(fmt.Sprintf("the page cache keeps %d pages of the file", cached), nil)
	}
	s.touch = touchLoad
	return err
}

// inMemory asks how many of the pages to touch are in the page cache, or the swap cache.
func (s *scene) inMemory(m []byte, stride uintptr) (n int64, err error) {
	page := pageLength()
	there := make([]byte, uintptr(len(m))/page)
	if err := syscalls.Mincore(addressOf(m), uintptr(len(m)), there); err != nil {
		return 0, err
	}
	for i := uintptr(0); i < uintptr(len(there)); i += stride / page {
		n += int64(there[i] & 1)
	}
	return n, nil
}

// prepareForked writes the pages and forks a child that does nothing but have them too.
func prepareForked(s *scene) error {
	s.touch = touchStore
	if _, err := s.anonymous(); err != nil {
		return err
	}
	for _, addr := range s.addrs {
		storeByte(addr)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	pid, err := forkIdle(uintptr(pipe[0]), uintptr(pipe[1]))
	s.later(func() error {
		err := errors.Join(unix.Close(pipe[0]), unix.Close(pipe[1]))
		for pid > 0 {
			if _, waitErr := unix.Wait4(pid, nil, 0, nil); waitErr != unix.EINTR {
				return errors.Join(err, os.NewSyscallError("wait4", waitErr))
			}
		}
		return err
	})
	return err
}

// forkIdle makes a copy of this process that waits for the end of a pipe and exits. It has one thread, and a runtime
// whose other threads are gone: so it runs nosplit code and raw system calls alone, with every signal blocked.
func forkIdle(read, write uintptr) (pid int, err error) {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, os.NewSyscallError("rt_sigprocmask", err)
	}
	r, errno := forkRaw(read, write)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return int(r), os.NewSyscallError("rt_sigprocmask", err)
	}
	if errno != 0 {
		return 0, os.NewSyscallError("clone", errno)
	}
	return int(r), nil
}

// forkRaw returns in the parent only.
//
//go:norace
//go:nocheckptr
//go:nosplit
func forkRaw(read, write uintptr) (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	unix.RawSyscall6(unix.SYS_CLOSE, write, 0, 0, 0, 0, 0)
	// Until the parent closes the pipe, or is gone: nobody writes to it, so no byte needs a place.
	unix.RawSyscall6(unix.SYS_READ, read, 0, 1, 0, 0, 0)
	for {
		unix.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	}
}
