package mmu

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrClosed says that a [Mapping] was closed before. It matches [os.ErrClosed].
var ErrClosed = fmt.Errorf("mapping closed: %w", os.ErrClosed)

// MapOptions say how memory is mapped. The zero value is private and readable and writable, in ordinary pages that
// come when they are first touched.
type MapOptions struct {
	// Perms are Readable, Writable and Executable, where none of them is Readable and Writable; and Shared, which a
	// memfd always is. For memory that nobody may touch see [Mapping.Protect].
	Perms Perms
	// PageSize asks for huge pages set aside (hugetlb) of so many bytes, 2 MiB or 1 GiB on amd64; 0 for ordinary
	// ones. The administrator sets them aside in /sys/kernel/mm/hugepages; where too few are free, mapping fails
	// with ENOMEM. For a file its file system decides. For transparent huge pages see [Mapping.Advise].
	PageSize uint64
	// Populate has the kernel bring all pages now. Lock keeps them from being swapped, within RLIMIT_MEMLOCK.
	Populate, Lock bool
	// NoReserve has the kernel set no swap space aside, so that touching may fail where mapping did not.
	NoReserve bool
}

// A Mapping is memory that this process has mapped: of a file, of a file in memory (memfd), or anonymous. It does
// not hand out the memory as a slice: reads and writes go through [Guarded], so that neither a file that somebody
// truncates nor [Mapping.Close] in another goroutine can crash the program. [Mapping.Addr] is there for what works
// with addresses, on the caller's account.
//
// Offsets count from the beginning of the mapping and lengths are in bytes; both may be any. Methods that work on
// pages take those that the range touches, except where they would destroy what lies beside it: see
// [Mapping.Advise]. A range that is not inside the mapping is an error that matches [os.ErrInvalid].
//
// All methods are safe for concurrent use. Close and Remap wait for calls that are under way; all others may run at
// the same time. There is no finalizer: what is not closed stays mapped until the process ends.
type Mapping struct {
	file *os.File // of a memfd, which the Mapping owns
	own  bool     // no bytes of anybody else are in the pages: anonymous, or a memfd

	mu     sync.RWMutex // held for writing where the memory moves or goes
	length int
	base   uintptr // the first byte, in the first page
	skip   uintptr // how far into the page that is
	size   uintptr // of the pages, as mapped
	page   uintptr // their size
	closed bool
}

// NewAnonymous maps length bytes of zeros that belong to no file.
func NewAnonymous(length int, o MapOptions) (*Mapping, error) {
	return newMapping("anonymous memory", -1, 0, length, unix.MAP_ANON, o)
}

// MapFile maps length bytes of a file from offset on, which need not be a multiple of the page size; nor need the
// file be that long now. The file may be closed afterwards. With [Shared], stores go to the file.
func MapFile(f *os.File, offset int64, length int, o MapOptions) (*Mapping, error) {
	if offset < 0 {
		return nil, fmt.Errorf("map %s from %d: %w", f.Name(), offset, os.ErrInvalid)
	}
	if o.PageSize != 0 {
		return nil, fmt.Errorf("map %s: the file system decides on the page size: %w", f.Name(), os.ErrInvalid)
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var m *Mapping
	controlErr := conn.Control(func(fd uintptr) {
		var fs unix.Statfs_t
		if unix.Fstatfs(int(fd), &fs) == nil && fs.Type == unix.HUGETLBFS_MAGIC {
			o.PageSize = uint64(fs.Bsize)
		}
		m, err = newMapping(f.Name(), int(fd), offset, length, 0, o)
	})
	return m, errors.Join(controlErr, err)
}

// NewMemfd makes a file in memory of length bytes, which has a name in /proc only, and maps it, for all to share.
// [Mapping.File] is the file; it is closed with the Mapping. See memfd_create(2).
func NewMemfd(name string, length int, o MapOptions) (*Mapping, error) {
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	if o.PageSize != 0 {
		code, err := hugeCode(o.PageSize)
		if err != nil {
			return nil, err
		}
		flags |= unix.MFD_HUGETLB | code
	}
	o.Perms |= Shared
	fd, err := unix.MemfdCreate(name, flags)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), name)
	size := int64(length)
	if over := size % int64(max(1, o.PageSize)); over > 0 {
		size += int64(o.PageSize) - over // a file of huge pages has whole ones
	}
	if err := f.Truncate(size); err != nil {
		f.Close()
		return nil, err
	}
	m, err := newMapping(name, fd, 0, length, 0, o)
	if err != nil {
		f.Close()
		return nil, err
	}
	m.file, m.own = f, true
	return m, nil
}

// newMapping calls mmap. flags are those that say of what.
func newMapping(what string, fd int, offset int64, length, flags int, o MapOptions) (*Mapping, error) {
	if length <= 0 {
		return nil, fmt.Errorf("map %d bytes of %s: %w", length, what, os.ErrInvalid)
	}
	if o.Perms&^Shared == 0 {
		o.Perms |= Readable | Writable
	}
	shared := o.Perms&Shared != 0
	m := &Mapping{length: length, page: uintptr(os.Getpagesize()), own: fd < 0}
	if o.PageSize != 0 {
		code, err := hugeCode(o.PageSize)
		if err != nil {
			return nil, err
		}
		m.page = uintptr(o.PageSize)
		if fd < 0 { // a file brings its own size
			flags |= unix.MAP_HUGETLB | code
		}
	}
	m.skip = uintptr(offset) % m.page
	m.size = m.roundUp(m.skip + uintptr(length))
	if m.size < uintptr(length) {
		return nil, fmt.Errorf("map %d bytes of %s: %w", length, what, unix.ENOMEM)
	}
	for flag, wanted := range map[int]bool{
		unix.MAP_SHARED: shared, unix.MAP_PRIVATE: !shared, unix.MAP_POPULATE: o.Populate,
		unix.MAP_LOCKED: o.Lock, unix.MAP_NORESERVE: o.NoReserve,
	} {
		if wanted {
			flags |= flag
		}
	}
	addr, err := unix.MmapPtr(fd, offset-int64(m.skip), nil, m.size, protection(o.Perms), flags)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", what, os.NewSyscallError("mmap", err))
	}
	m.base = uintptr(addr) + m.skip
	if o.Lock { // MAP_LOCKED alone says nothing where it failed
		if err := m.Lock(0, length); err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}

// hugeCode is how mmap and memfd_create want the size of huge pages: its logarithm, from bit 26 on.
func hugeCode(size uint64) (int, error) {
	if size < 4096 || bits.OnesCount64(size) != 1 {
		return 0, fmt.Errorf("huge pages of %d bytes: %w", size, os.ErrInvalid)
	}
	return bits.TrailingZeros64(size) << 26, nil
}

func protection(p Perms) (prot int) {
	for perm, bit := range map[Perms]int{Readable: unix.PROT_READ, Writable: unix.PROT_WRITE, Executable: unix.PROT_EXEC} {
		if p&perm != 0 {
			prot |= bit
		}
	}
	return prot
}

func (m *Mapping) roundUp(n uintptr) uintptr { return (n + m.page - 1) &^ (m.page - 1) }

// Addr is where the mapping begins now, or 0 after Close. [Mapping.Remap] may change it.
func (m *Mapping) Addr() uintptr {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return 0
	}
	return m.base
}

// Len is how many bytes the mapping has.
func (m *Mapping) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.length
}

// File is the memfd of [NewMemfd], and nil for other mappings. The Mapping closes it.
func (m *Mapping) File() *os.File { return m.file }

// ReadAt reads as [io.ReaderAt] does. Where the processor refuses, it returns what it read before, and a *[Fault]:
// beyond the end of a file that has become shorter, or where [Mapping.Protect] forbids it.
func (m *Mapping) ReadAt(p []byte, off int64) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.clip(len(p), off)
	if err != nil {
		return 0, err
	}
	got, err := Guarded{}.Read(p[:n], m.base+uintptr(off))
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return got, err
}

// WriteAt writes as [io.WriterAt] does; see [Mapping.ReadAt]. What does not fit is not written, and gives
// [io.ErrShortWrite].
func (m *Mapping) WriteAt(p []byte, off int64) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.clip(len(p), off)
	if err != nil {
		return 0, err
	}
	put, err := Guarded{}.Write(m.base+uintptr(off), p[:n])
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return put, err
}

// clip is how many of n bytes from off on there are.
func (m *Mapping) clip(n int, off int64) (int, error) {
	switch {
	case m.closed:
		return 0, ErrClosed
	case off < 0:
		return 0, fmt.Errorf("offset %d: %w", off, os.ErrInvalid)
	case off >= int64(m.length):
		return 0, nil
	}
	return min(n, m.length-int(off)), nil
}

// Close unmaps the memory, waiting for calls that are under way. Calls after that return [ErrClosed], Close
// too. A mapping that was sealed cannot be unmapped: it counts as closed, stays until the process ends, and Close
// returns an error that matches [os.ErrPermission].
func (m *Mapping) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.closed = true
	var err error
	if m.file != nil {
		err = m.file.Close()
	}
	return errors.Join(err, os.NewSyscallError("munmap", munmap(m.base-m.skip, m.size)))
}

func munmap(addr, size uintptr) error {
	_, _, errno := unix.Syscall(unix.SYS_MUNMAP, addr, size, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// View calls f with the memory itself, and keeps it in place until f returns. f must not keep the slice, nor call
// methods of the Mapping, which could wait for it. The slice is memory like any other: where a file has become shorter or
// pages are protected, touching it is a fault that ends the program.
func (m *Mapping) View(f func(b []byte) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	return f(unsafe.Slice((*byte)(pointer(m.base)), m.length))
}

// pointer is one to memory that Go does not manage, and so neither moves nor frees.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }
