//go:build amd64 || arm64

package pagefault

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// ReadAt is io.ReaderAt: it waits for the pages and copies from them. Its error is a *[ServeError] where a page
// cannot be had, and [ErrClosed]; nothing was copied then.
func (r *Region) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.inside("read", len(p), off)
	if err != nil {
		return 0, err
	}
	if err := r.use(off, off+n, AccessRead, func(m []byte) error { copy(p, m); return nil }); err != nil {
		return 0, err
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// WriteAt is io.WriterAt, but writes nothing where not all of p has its place in the region. Errors as of
// [Region.ReadAt].
func (r *Region) WriteAt(p []byte, off int64) (int, error) {
	n, err := r.inside("write", len(p), off)
	if err == nil && n < int64(len(p)) {
		err = fmt.Errorf("write %d bytes at offset %d of %d: %w", len(p), off, r.size, io.ErrShortWrite)
	}
	if err == nil {
		err = r.use(off, off+n, AccessWrite, func(m []byte) error { copy(m, p); return nil })
	}
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// inside returns how much of a range lies in the region.
func (r *Region) inside(what string, length int, off int64) (int64, error) {
	if off < 0 || length < 0 {
		return 0, fmt.Errorf("%s %d bytes at offset %d: %w", what, length, off, os.ErrInvalid)
	}
	return max(0, min(int64(length), r.size-off)), nil
}

// Use waits for the pages of a range and calls f with the memory itself. It is f's for as long as f runs: to
// read, and with AccessWrite to write too. f must not use the region. Its error is returned; others are as of
// [Region.ReadAt].
func (r *Region) Use(off int64, length int, access Access, f func(m []byte) error) error {
	n, err := r.inside("use", length, off)
	if err == nil && (n < int64(length) || access != AccessRead && access != AccessWrite) {
		err = fmt.Errorf("use %d bytes at offset %d of %d to %v: %w", length, off, r.size, access, os.ErrInvalid)
	}
	if err != nil {
		return err
	}
	return r.use(off, off+n, access, f)
}

func (r *Region) use(off, end int64, access Access, f func(m []byte) error) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closing.Load() {
		return ErrClosed
	}
	if f == nil {
		return fmt.Errorf("use memory for nothing: %w", os.ErrInvalid)
	}
	if off >= end {
		return f(nil)
	}
	if r.remote != nil {
		return r.remote.use(r, off, end, access, f)
	}
	if err := r.populate(off, end, access); err != nil {
		return err
	}
	return f(r.memory[off:end:end])
}

// populate makes the pages of a range, or says why there is one that cannot be had. Its caller holds mu. It calls the
// kernel itself, not by way of others: see docs/adr/0034.
func (r *Region) populate(off, end int64, access Access) error {
	if err := r.failure(off, end, access); err != nil {
		return err
	}
	page := int64(r.server.page)
	advice := unix.MADV_POPULATE_READ
	if access == AccessWrite {
		advice = unix.MADV_POPULATE_WRITE
	}
	// In pieces: what Close releases inside a call goes on to the call's end, with pages of zeros.
	piece := max(page, yieldEvery*int64(os.Getpagesize()))
	for at, all := off&^(page-1), (end+page-1)&^(page-1); at < all; {
		m := r.memory[at:min(all, at+piece)]
		r.takeTurn(int64(len(m)))
		r.server.order.Add(1)
		errno := advise(m, advice)
		r.server.order.Add(1)
		switch {
		case r.closing.Load():
			return ErrClosed
		case errno == 0:
			at += int64(len(m))
		case !again(errno):
			return r.whyNot(off, end, access, errno)
		}
	}
	return r.failure(off, end, access)
}

// takeTurn lets the scheduler have a turn where another piece of memory is asked for, from time to time.
func (r *Region) takeTurn(length int64) {
	// With one P the worker's turns are this goroutine's too.
	every := yieldEvery * int64(r.server.page)
	if asked := r.asked.Add(length); asked%every < length && runtime.GOMAXPROCS(0) > 1 {
		runtime.Gosched()
	}
}

// whyNot is the error of pages that the kernel did not make.
func (r *Region) whyNot(off, end int64, access Access, errno unix.Errno) error {
	if err := r.failure(off, end, access); err != nil {
		return err
	}
	if errno == unix.EINVAL {
		return &NotSupportedError{Feature: "making pages inside a system call", Since: "Linux 5.14", Err: errno}
	}
	return os.NewSyscallError("madvise MADV_POPULATE", errno)
}

// Memory returns the memory itself, which is there until Close. A touch of a page that is not there waits for the
// remote handler; of a page that cannot be had it is SIGBUS or SIGSEGV, which runtime/debug.SetPanicOnFault makes
// a panic of. With a handler in this process the error matches errors.ErrUnsupported: see [Region].
func (r *Region) Memory() ([]byte, error) {
	if r.remote == nil {
		return nil, fmt.Errorf("memory that goroutines of the same process serve: %w", errors.ErrUnsupported)
	}
	if r.closing.Load() {
		return nil, ErrClosed
	}
	return r.memory[:r.size:r.size], nil
}

// Drop takes the pages of a range away, and what is written in them: the next touch of each is missing again.
// Offset and length are whole pages. It waits for those who use the region.
func (r *Region) Drop(off, length int64) error {
	return r.change("drop", off, length, func(m []byte) error {
		if r.remote != nil { // pages that the guard closed
			if err := unix.Mprotect(m, unix.PROT_READ|unix.PROT_WRITE); err != nil {
				return os.NewSyscallError("mprotect", err)
			}
		}
		r.server.refusing.Lock() // who refuses a page may do so for nobody any more
		defer r.server.refusing.Unlock()
		r.forgive(off, off+length, false)
		advice, what := unix.MADV_DONTNEED, "madvise MADV_DONTNEED"
		if r.server.view != nil {
			// Unmapped first, which takes a poisoned page's mark away, and then out of the cache.
			if err := r.unmapPages(m); err != nil {
				return err
			}
			advice, what = unix.MADV_REMOVE, "madvise MADV_REMOVE"
			m = r.server.view[off : off+length]
		}
		if r.server.view == nil {
			return r.unmapPages(m)
		}
		return os.NewSyscallError(what, unix.Madvise(m, advice))
	})
}

// unmapPages takes the pages out of the page tables. Locked ones stay unless they are unlocked before.
func (r *Region) unmapPages(m []byte) error {
	locked := r.server.view != nil && r.remote == nil
	if locked {
		if err := unix.Munlock(m); err != nil {
			return os.NewSyscallError("munlock", err)
		}
	}
	if err := unix.Madvise(m, unix.MADV_DONTNEED); err != nil {
		return os.NewSyscallError("madvise MADV_DONTNEED", err)
	}
	if locked {
		if _, _, errno := unix.Syscall(unix.SYS_MLOCK2, addressOf(m), uintptr(len(m)), unix.MLOCK_ONFAULT); errno != 0 {
			return os.NewSyscallError("mlock2", errno)
		}
	}
	return nil
}

// Evict takes the pages of a range out of the page tables and leaves them in memory: the next touch of each is a
// minor fault. It needs ServeMinor. Offset and length are whole pages. It waits for those who use the region.
func (r *Region) Evict(off, length int64) error {
	if r.server.view == nil {
		return fmt.Errorf("evict pages of a region without ServeMinor: %w", errors.ErrUnsupported)
	}
	return r.change("evict", off, length, r.unmapPages)
}

// Protect has the next write to each page of a range be a fault. It needs ServeWriteProtect. Pages that are not
// there are not protected, but missing. Offset and length are whole pages. It waits for those who use the region.
func (r *Region) Protect(off, length int64) error {
	if r.server.faults&ServeWriteProtect == 0 {
		return fmt.Errorf("protect pages of a region without ServeWriteProtect: %w", errors.ErrUnsupported)
	}
	return r.change("protect", off, length, func(m []byte) error {
		r.server.refusing.Lock()
		defer r.server.refusing.Unlock()
		r.forgive(off, off+length, true)
		return retried(func() error {
			return syscalls.UffdWriteprotect(r.server.fd, addressOf(m), uintptr(len(m)), syscalls.UFFDIO_WRITEPROTECT_MODE_WP)
		})
	})
}

// change does something to pages while nobody uses them.
func (r *Region) change(what string, off, length int64, do func(m []byte) error) error {
	page := int64(r.server.page)
	if off < 0 || length < 0 || off%page != 0 || length%page != 0 || off > int64(len(r.memory))-length {
		return fmt.Errorf("%s %d bytes at offset %d, in pages of %d: %w", what, length, off, page, os.ErrInvalid)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing.Load() {
		return ErrClosed
	}
	if length == 0 {
		return nil
	}
	if err := do(r.memory[off : off+length]); err != nil {
		if r.closing.Load() { // the memory is not registered any more
			return ErrClosed
		}
		return fmt.Errorf("%s %d bytes at offset %d: %w", what, length, off, err)
	}
	return nil
}

// use calls f with memory that a remote handler serves; a page that cannot be had is found by touching it.
func (e *remoteEnd) use(r *Region, off, end int64, access Access, f func(m []byte) error) (err error) {
	if err := r.failure(off, end, access); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		fault, ok := v.(interface{ Addr() uintptr })
		if !ok || fault.Addr()-addressOf(r.memory) >= uintptr(len(r.memory)) {
			panic(v)
		}
		err = e.why(r, int64(fault.Addr()-addressOf(r.memory)))
	}()
	return f(r.memory[off:end:end])
}
