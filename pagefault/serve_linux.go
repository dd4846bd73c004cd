//go:build amd64 || arm64

package pagefault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A Region is memory whose pages come from a handler.
//
// A goroutine that touches a page which is not there yet waits in the kernel with its P, and the garbage
// collector waits for it; where the handler is a goroutine of the same process, it waits for the collector, and
// nobody goes on. So memory with a [Handler] is reached through methods alone. They have the kernel make the pages
// inside a system call, during which a goroutine is stopped like any other, and touch them only then; whatever
// takes pages away waits for them. With a remote handler there is no such circle, and [Region.Memory] is the memory
// itself.
//
// All methods may be used from any goroutine, but not from the handler.
type Region struct {
	server   *server
	userOnly bool
	size     int64 // as it was asked for
	memory   []byte
	workers  sync.WaitGroup
	events   bool           // one goroutine reads for the workers
	reader   sync.WaitGroup // this one
	doorbell []byte         // a page for each worker and one for the reader; a fault on it ends one
	remote   *remoteEnd

	asked   atomic.Int64 // bytes that were asked for, for yieldEvery
	closing atomic.Bool
	cancel  context.CancelFunc
	close   sync.Once
	closed  error

	// Who reads or writes holds mu shared while pages must stay; who takes them away holds it alone.
	mu sync.RWMutex

	failuresMu sync.Mutex
	failures   map[int64]failure // by offset of the page
	anyFailure atomic.Bool       // there are some
}

type failure struct {
	err    *ServeError
	writes bool // only these
}

// Serve makes a region. It needs CAP_SYS_PTRACE, access to /dev/userfaultfd (since 6.1) or the sysctl
// vm.unprivileged_userfaultfd, because with a handler in this process pages are made inside system calls; with a
// remote handler it needs nothing, and then a system call that is handed memory of the region which is not
// there yet fails with EFAULT where the process has none of those ([Region.UserModeOnly]).
//
// Since 5.14 (MADV_POPULATE_READ). Errors match errors.ErrUnsupported where the kernel cannot and fs.ErrPermission
// where the process may not. Sources: userfaultfd(2), ioctl_userfaultfd(2), madvise(2), and
// Documentation/admin-guide/mm/userfaultfd.rst of the kernel.
func Serve(opts ServeOptions) (*Region, error) {
	err := opts.validate()
	if opts.Faults == 0 {
		opts.Faults = ServeMissing
	}
	var r *Region
	if err == nil {
		r, err = serve(opts)
	}
	if err != nil {
		if opts.Remote != nil {
			opts.Remote.Close() // who is at the other end waits for an offer
		}
		return nil, fmt.Errorf("serve page faults: %w", err)
	}
	return r, nil
}

func serve(opts ServeOptions) (_ *Region, err error) {
	fd, userOnly, features, err := opts.negotiate()
	if err != nil {
		return nil, err
	}
	page := os.Getpagesize()
	if opts.HugePages {
		huge, err := hugetlbLength()
		if err != nil {
			unix.Close(fd)
			return nil, &NotSupportedError{Feature: "serving huge pages", Since: "Linux 4.11 with CONFIG_HUGETLBFS", Err: err}
		}
		page = int(huge)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Region{
		userOnly: userOnly, size: opts.Size, cancel: cancel, failures: map[int64]failure{},
		server: &server{fd: fd, page: page, faults: opts.Faults, features: features, handler: opts.Handler, ctx: ctx},
	}
	r.server.failed = r.noteFailure
	r.server.unable = r.server.release
	defer func() {
		if err != nil {
			cancel()
			r.unmap()
		}
	}()
	memfd, err := r.mapMemory(opts)
	if memfd >= 0 {
		defer unix.Close(memfd)
	}
	if err != nil {
		return nil, err
	}
	if opts.Remote != nil {
		r.remote, err = handOver(r, opts.Remote, memfd)
		return r, err
	}
	if err := r.start(opts); err != nil {
		return nil, err
	}
	return r, nil
}

// mapMemory maps and registers the memory. It returns the descriptor of the memory where that is shared.
func (r *Region) mapMemory(opts ServeOptions) (memfd int, err error) {
	s := r.server
	length := (opts.Size + int64(s.page) - 1) &^ int64(s.page-1)
	memfd, flags, reserve := -1, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, unix.MAP_NORESERVE
	if opts.HugePages { // all at once, or a fault would find none left
		flags, reserve = flags|unix.MAP_HUGETLB, 0
	}
	if opts.Faults&ServeMinor != 0 {
		flags = unix.MAP_SHARED
		if memfd, err = unix.MemfdCreate("ring3-region", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING); err != nil {
			return -1, os.NewSyscallError("memfd_create", err)
		}
		if err := unix.Ftruncate(memfd, length); err != nil {
			return memfd, os.NewSyscallError("ftruncate", err)
		}
		// For the sake of a remote handler: it would get SIGBUS of memory that somebody made smaller.
		if _, err := unix.FcntlInt(uintptr(memfd), unix.F_ADD_SEALS, sizeSeals|unix.F_SEAL_SEAL); err != nil {
			return memfd, os.NewSyscallError("fcntl F_ADD_SEALS", err)
		}
		if s.view, err = mapRegion(memfd, length, flags); err != nil {
			return memfd, err
		}
	}
	if r.memory, err = mapRegion(memfd, length, flags|reserve); err != nil {
		return memfd, err
	}
	// A huge page would come in place of pages that nobody has served.
	if err := unix.Madvise(r.memory, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return memfd, os.NewSyscallError("madvise MADV_NOHUGEPAGE", err)
	}
	if opts.Events == nil {
		if err := unix.Madvise(r.memory, unix.MADV_DONTFORK); err != nil {
			return memfd, os.NewSyscallError("madvise MADV_DONTFORK", err)
		}
	}
	if s.view != nil && opts.Remote == nil {
		// The kernel may take mapped pages of shared memory back to their cache at any time, and the next touch
		// would be a fault once more: of a goroutine that has been told that the page is there.
		if _, _, errno := unix.Syscall(unix.SYS_MLOCK2, addressOf(r.memory), uintptr(len(r.memory)), unix.MLOCK_ONFAULT); errno != 0 {
			return memfd, os.NewSyscallError("mlock2", errno)
		}
	}
	s.place.set(addressOf(r.memory), uintptr(length))
	_, err = syscalls.UffdRegister(s.fd, addressOf(r.memory), uintptr(length), registerMode(opts.Faults))
	return memfd, err
}

// sizeSeals keep shared memory as large as it is.
const sizeSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

func registerMode(f ServeFaults) (mode syscalls.UffdRegisterMode) {
	if f&ServeMissing != 0 {
		mode |= syscalls.UFFDIO_REGISTER_MODE_MISSING
	}
	if f&ServeWriteProtect != 0 {
		mode |= syscalls.UFFDIO_REGISTER_MODE_WP
	}
	if f&ServeMinor != 0 {
		mode |= syscalls.UFFDIO_REGISTER_MODE_MINOR
	}
	return mode
}

// mapRegion maps memory that is no part of Go's heap.
func mapRegion(fd int, length int64, flags int) ([]byte, error) {
	p, err := unix.MmapPtr(fd, 0, nil, uintptr(length), unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return unsafe.Slice((*byte)(p), length), nil
}

func unmapRegion(m []byte) error {
	if m == nil {
		return nil
	}
	return os.NewSyscallError("munmap", unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(m)), uintptr(len(m))))
}

func addressOf(m []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m))) }

// unmap gives everything back; nobody uses it any more. The descriptor goes first: an unmap of memory that is
// still registered would wait until somebody reads of it.
func (r *Region) unmap() error {
	err := unix.Close(r.server.fd)
	if err != nil {
		err = os.NewSyscallError("close", err)
	}
	return errors.Join(err, unmapRegion(r.memory), unmapRegion(r.server.view), unmapRegion(r.doorbell))
}

// Close gives the memory back. Whoever waits for a page gets [ErrClosed] at once, and the context of each
// request ends; Close returns when the handlers under way have, and nobody is in the memory. A second call
// waits for the first and returns the same.
func (r *Region) Close() error {
	r.close.Do(func() {
		r.closing.Store(true)
		r.cancel()
		if r.remote != nil {
			r.closed = r.remote.close(r)
		} else {
			r.stop()
		}
		r.mu.Lock() // who is in the memory leaves it
		defer r.mu.Unlock()
		r.closed = errors.Join(r.closed, r.unmap())
	})
	return r.closed
}

// Size is that of the region in bytes, as it was asked for.
func (r *Region) Size() int64 { return r.size }

// Features are those of the userfaultfd that are in use.
func (r *Region) Features() syscalls.UffdFeatures { return r.server.features }

// UserModeOnly reports whether only touches by the program itself are served, and not those by system calls.
func (r *Region) UserModeOnly() bool { return r.userOnly }

// noteFailure keeps what whoever waits for the page will be told.
func (r *Region) noteFailure(offset int64, faults ServeFaults, err error) {
	r.failuresMu.Lock()
	defer r.failuresMu.Unlock()
	r.failures[offset] = failure{&ServeError{offset, err}, faults == ServeWriteProtect}
	r.anyFailure.Store(true)
}

// failure returns why a page of the range cannot be had.
func (r *Region) failure(offset, end int64, access Access) error {
	if !r.anyFailure.Load() {
		return nil
	}
	return r.findFailure(offset, end, access)
}

// findFailure is failure where there are any.
func (r *Region) findFailure(offset, end int64, access Access) error {
	r.failuresMu.Lock()
	defer r.failuresMu.Unlock()
	page := int64(r.server.page)
	for at := offset &^ (page - 1); at < end; at += page {
		if f, ok := r.failures[at]; ok && (access == AccessWrite || !f.writes) {
			return f.err
		}
	}
	return nil
}

// forgive forgets failures in the range, all or those of writes.
func (r *Region) forgive(offset, end int64, writes bool) {
	r.failuresMu.Lock()
	defer r.failuresMu.Unlock()
	for at, f := range r.failures {
		if at >= offset && at < end && (!writes || f.writes) {
			delete(r.failures, at)
		}
	}
	r.anyFailure.Store(len(r.failures) > 0)
}
