//go:build amd64 || arm64

package pagefault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A server turns messages of a userfaultfd into calls of a handler and its answers into operations. It works in
// the process whose memory it is as well as in another one. Its fields do not change; any goroutine may use it.
type server struct {
	fd       int
	page     int // bytes; more than the machine's where pages are huge
	faults   ServeFaults
	features syscalls.UffdFeatures
	handler  Handler
	ctx      context.Context
	// view maps the same shared memory again, unregistered: here the handler finds the page that a minor fault
	// is about. nil without ServeMinor.
	view []byte
	// failed is told that a page cannot be had, before anybody is released. unable is asked to put the page out
	// of reach where the kernel has no way to poison it.
	failed func(offset int64, faults ServeFaults, err error)
	unable func(addr uintptr, offset int64)
	// refusing is held from the note of a failure until its page is out of reach, and by whoever forgets the one
	// and makes the other missing again.
	refusing sync.Mutex

	place place
	// order is counted up by whoever asks for pages, before and after, and by whoever makes one, likewise. The
	// kernel orders the two; this says so to Go's memory model, and to the race detector.
	order atomic.Uint32
}

// A place says which addresses are the region's: one range, until somebody moves parts of it.
type place struct {
	mu     sync.Mutex // who changes it
	ranges atomic.Pointer[[]placed]
}

type placed struct {
	start, length uintptr
	offset        int64
}

// offset returns where in the region an address is.
func (p *place) offset(addr uintptr) (offset int64, ok bool) {
	ranges := *p.ranges.Load()
	for i := len(ranges) - 1; i >= 0; i-- { // the latest counts
		if r := ranges[i]; addr-r.start < r.length {
			return r.offset + int64(addr-r.start), true
		}
	}
	return 0, false
}

// set says where the region begins.
func (p *place) set(start, length uintptr) {
	p.ranges.Store(&[]placed{{start, length, 0}})
}

// base is where the region began.
func (p *place) base() uintptr { return (*p.ranges.Load())[0].start }

// move notes that memory is elsewhere now.
func (p *place) move(from, to, length uintptr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	offset, ok := p.offset(from)
	if !ok {
		return
	}
	ranges := append(slices.Clone(*p.ranges.Load()), placed{to, length, offset})
	p.ranges.Store(&ranges)
}

// serve answers one fault. The buffer is a page of the caller's, and the request is one to fill in: a worker has its
// own of both.
func (s *server) serve(m *syscalls.UffdMsg, buffer []byte, r *Request) {
	flags, addr, tid := m.Pagefault()
	addr &^= uintptr(s.page - 1)
	offset, ok := s.place.offset(addr)
	faults, access, page := ServeMissing, AccessRead, buffer
	if flags&syscalls.UFFD_PAGEFAULT_FLAG_WRITE != 0 {
		access = AccessWrite
	}
	switch {
	case flags&syscalls.UFFD_PAGEFAULT_FLAG_WP != 0:
		faults, page = ServeWriteProtect, nil
	case flags&syscalls.UFFD_PAGEFAULT_FLAG_MINOR != 0:
		faults = ServeMinor
	}
	if !ok { // memory that is no longer known as ours: nobody can say what belongs there
		s.refuse(addr, offset, faults, errors.New("not in the region"))
		return
	}
	if s.view != nil && page != nil {
		page = s.view[offset : offset+int64(s.page) : offset+int64(s.page)]
	} else {
		clear(page)
	}
	// One by one: a literal would be made elsewhere and copied.
	r.Offset, r.Faults, r.Access, r.Thread, r.Page = offset, faults, access, tid, page
	r.ctx, r.answer = s.ctx, answer{}
	if !s.ask(addr, r) {
		return
	}
	a := r.answer // once: whoever kept the request must not change what was found right
	err := s.answers(r.Page, page, &a)
	if err == nil && faults == ServeMissing && s.view == nil && !a.zero && a.give == nil {
		// The way of most pages goes straight, from here: behind a system call each function that is returned
		// through costs. See docs/adr/0034.
		if _, err = syscalls.UffdCopy(s.fd, addr, page, a.copyMode()); err == nil {
			return
		}
		err = nil
	}
	if err == nil {
		err = s.resolve(addr, faults, page, &a)
	}
	if err != nil {
		s.refuse(addr, offset, faults, err)
	}
}

// ask calls the handler and reports whether there is an answer to give. Where there is none, however the handler
// ended, it has refused the page; one that ends the goroutine ends it after that.
func (s *server) ask(addr uintptr, r *Request) (ok bool) {
	offset, faults, err := r.Offset, r.Faults, errHandlerEnded
	defer func() {
		if err == nil {
			return
		}
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		s.order.Add(1)
		s.refuse(addr, offset, faults, err)
	}()
	s.order.Add(1)
	if err = s.handler(r); err != nil {
		return false
	}
	s.order.Add(1)
	return true
}

// answers reports what a handler may not do to its request: put another page in place of the one that it is to fill,
// or answer a page that is in shared memory by another.
func (s *server) answers(filled, page []byte, a *answer) error {
	switch {
	case len(filled) != len(page) || unsafe.SliceData(filled) != unsafe.SliceData(page):
		return fmt.Errorf("handler replaced Request.Page, which it is to fill: %w", os.ErrInvalid)
	case s.view != nil && (a.zero || a.give != nil):
		return fmt.Errorf("Zero or Give for a page of a region with ServeMinor: %w", errors.ErrUnsupported)
	}
	return nil
}

// resolve does what the handler decided, and wakes who waits. What the fault was and the page are as they were before
// the handler had the request.
func (s *server) resolve(addr uintptr, faults ServeFaults, page []byte, a *answer) error {
	size := uintptr(s.page)
	var err error
	switch {
	case faults == ServeWriteProtect:
		err = retried(func() error { return syscalls.UffdWriteprotect(s.fd, addr, size, 0) })
	case s.view != nil:
		var mode syscalls.UffdContinueMode
		if a.protect {
			mode = syscalls.UFFDIO_CONTINUE_MODE_WP
		}
		err = retried(func() error { return second(syscalls.UffdContinue(s.fd, addr, size, mode)) })
		if errors.Is(err, unix.EFAULT) { // a page of zeros, which the handler has not so much as touched
			if err = populate(page, unix.MADV_POPULATE_WRITE); err == nil {
				err = retried(func() error { return second(syscalls.UffdContinue(s.fd, addr, size, mode)) })
			}
		}
	case a.give != nil:
		err = s.give(addr, a)
	case a.zero && !a.protect && !s.huge():
		err = retried(func() error { return second(syscalls.UffdZeropage(s.fd, addr, size, 0)) })
	case a.zero:
		clear(page)
		err = s.copy(addr, page, a.copyMode())
	default:
		err = s.copy(addr, page, a.copyMode())
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EEXIST) { // another thread's fault was served first
		err = syscalls.UffdWake(s.fd, addr, size)
	}
	if gone(err) {
		return nil
	}
	return err
}

func (s *server) copy(addr uintptr, from []byte, mode syscalls.UffdCopyMode) error {
	return retried(func() error { return second(syscalls.UffdCopy(s.fd, addr, from, mode)) })
}

func (a *answer) copyMode() syscalls.UffdCopyMode {
	if a.protect {
		return syscalls.UFFDIO_COPY_MODE_WP
	}
	return 0
}

// give moves a page of the handler's, or copies it where that cannot be.
func (s *server) give(addr uintptr, a *answer) error {
	if len(a.give) != s.page {
		return fmt.Errorf("gave %d bytes for a page of %d: %w", len(a.give), s.page, os.ErrInvalid)
	}
	if s.features&syscalls.UFFD_FEATURE_MOVE != 0 && !a.protect {
		err := retried(func() error {
			return second(syscalls.UffdMove(s.fd, addr, addressOf(a.give), uintptr(s.page), 0))
		})
		if err == nil || gone(err) && s.ctx.Err() != nil {
			return err
		}
	}
	return s.copy(addr, a.give, a.copyMode())
}

// refuse puts a page out of reach and releases who waits for it.
func (s *server) refuse(addr uintptr, offset int64, faults ServeFaults, err error) {
	s.refusing.Lock()
	defer s.refusing.Unlock()
	s.failed(offset, faults, err)
	if faults != ServeWriteProtect && s.features&syscalls.UFFD_FEATURE_POISON != 0 {
		poison := retried(func() error { return second(syscalls.UffdPoison(s.fd, addr, uintptr(s.page), 0)) })
		if poison == nil || gone(poison) {
			return
		}
	}
	s.unable(addr, offset)
}

// release lets who waits go on, to a page of whatever is there: for where he looks at the list of failed pages
// before he looks at the page.
func (s *server) release(addr uintptr, offset int64) {
	size := uintptr(s.page)
	if s.view != nil {
		_ = populate(s.view[offset:offset+int64(s.page)], unix.MADV_POPULATE_WRITE) // where there was none
		_ = retried(func() error { return second(syscalls.UffdContinue(s.fd, addr, size, 0)) })
	} else if s.huge() {
		_ = s.copy(addr, make([]byte, s.page), 0)
	} else {
		_ = retried(func() error { return second(syscalls.UffdZeropage(s.fd, addr, size, 0)) })
	}
	if s.faults&ServeWriteProtect != 0 {
		_ = retried(func() error { return syscalls.UffdWriteprotect(s.fd, addr, size, 0) })
	}
	_ = syscalls.UffdWake(s.fd, addr, size)
}

// huge reports whether pages are of those that were reserved. The kernel has no page of zeros of that size.
func (s *server) huge() bool { return s.page != os.Getpagesize() }

// retried repeats an operation on a page for as long as the kernel says that the memory is changing under it.
// That ends when the message of the change has been read, by another goroutine.
func retried(do func() error) error {
	for {
		if err := do(); !errors.Is(err, unix.EAGAIN) {
			return err
		}
		runtime.Gosched()
	}
}

// second leaves out how many bytes were done: of one page it is all or none.
func second(_ int, err error) error { return err }

// gone says that there is nobody left to answer: the range is no longer registered or the process has ended.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) }
