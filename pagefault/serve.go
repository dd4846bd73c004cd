package pagefault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// ServeFaults says which faults of a [Region] its handler is asked about.
type ServeFaults uint8

// The faults that a program can serve.
const (
	// ServeMissing are touches of pages that are not there. Since 4.3.
	ServeMissing ServeFaults = 1 << iota
	// ServeWriteProtect are writes to pages that [Region.Protect] or [Request.Protect] protected. Since 5.7, on
	// arm64 6.10.
	ServeWriteProtect
	// ServeMinor are touches of pages that are in memory and not mapped: after [Region.Evict]. The region is
	// shared memory then, and the handler sees and changes its pages in place, without a copy. Since 5.14.
	// With a handler in this process all of the region counts as locked: without CAP_IPC_LOCK, RLIMIT_MEMLOCK must
	// have room for it, or Serve fails with ENOMEM or EPERM.
	ServeMinor
)

// ServeOptions say what memory to serve, and by what.
type ServeOptions struct {
	// Size is that of the region in bytes, rounded up to whole pages.
	Size int64
	// Faults are those that the handler is asked about; the zero value is ServeMissing.
	Faults ServeFaults
	// HugePages has the region be of pages that were reserved (hugetlbfs; sysctl vm.nr_hugepages), of the machine's
	// default size: Size is rounded up to such, and a fault is one's. Serve fails with ENOMEM where there are
	// not enough. Not with ServeMinor. [Region.Drop] needs 5.18 then, and ServeWriteProtect 5.19 (arm64 6.10).
	HugePages bool
	// Handler answers faults, in this process. Exactly one of Handler and Remote is set.
	Handler Handler
	// Remote is the connection to another process that calls [ServeRemote]. The region's descriptor goes there,
	// and with it every fault. The region closes the connection, and Serve where it fails, which
	// waits until the other process has taken over: whoever closes the connection ends that.
	Remote *net.UnixConn
	// Workers is how many calls of Handler may run at once; 0 is 1.
	Workers int
	// Events, where set, is told what becomes of the region's memory by the hand of others. It is called by the
	// goroutine that reads messages, so it must return soon, and must not use the region. With it a child of
	// fork(2) inherits the region's memory, otherwise not. Not with Remote. Since 4.11.
	Events func(MemoryEvent)
}

// A Handler answers a fault. For a missing page it fills [Request.Page], which it finds zero (with ServeMinor:
// as it is in memory); for the others there is nothing to fill. When it returns nil, the thread that waits goes
// on. When it returns an error, panics or ends its goroutine, that page is no more: see [ServeError].
//
// It runs beside those who wait, so it must neither use the region nor wait for who does. What it did happens before
// they go on.
type Handler func(*Request) error

// A Request is a fault that waits for an answer. It is the handler's until that returns.
type Request struct {
	// Offset is that of the page in the region, in bytes.
	Offset int64
	// Faults has one bit set: what kind of fault it is.
	Faults ServeFaults
	// Access is what the thread wanted: AccessRead or AccessWrite.
	Access Access
	// Thread is the thread that waits, 0 where the kernel does not say (before 4.14).
	Thread int
	// Page is the page to fill; nil where it is there, of a fault of ServeWriteProtect. It is no longer the
	// handler's when that has returned.
	Page []byte

	ctx    context.Context
	answer answer
}

// An answer is what a handler decided beside the bytes of the page.
type answer struct {
	zero, protect bool
	give          []byte
}

// Context ends when the region is closed.
func (r *Request) Context() context.Context { return r.ctx }

// Zero answers with a page of zeros, which costs no memory until somebody writes to it. What is in Page does not
// matter then. In a region with ServeMinor the answer is an error.
func (r *Request) Zero() { r.answer.zero = true }

// Protect has the missing page come write-protected: the first write to it is a fault of its own. It needs
// ServeWriteProtect.
func (r *Request) Protect() { r.answer.protect = true }

// Give answers with a page that is elsewhere in the memory of this process: private anonymous memory, whole and
// aligned. The kernel moves it without a copy where it can (since 6.8), and what was there is missing
// afterwards; otherwise it copies. In a region with ServeMinor the answer is an error.
func (r *Request) Give(page []byte) { r.answer.give = page }

// A MemoryEvent is what somebody did to the memory of a region. Offsets are in bytes from its beginning.
type MemoryEvent struct {
	Kind       MemoryEventKind
	Start, End int64 // the range, of MemoryRemap the old one; 0 for MemoryFork
	To         int64 // MemoryRemap: where Start is now
	// Child, for MemoryFork, is a userfaultfd of the child's memory, for whoever wants to serve it. Who keeps
	// none closes it; the kernel then fills the child's missing pages with zeros.
	Child *os.File
}

// MemoryEventKind is what happened to memory.
type MemoryEventKind uint8

// What can happen. MemoryFork is reported to who has CAP_SYS_PTRACE. A remove leaves the mapping and takes the
// pages (MADV_DONTNEED, MADV_REMOVE), an unmap takes both.
const (
	MemoryFork MemoryEventKind = iota + 1
	MemoryRemap
	MemoryRemove
	MemoryUnmap
)

func (k MemoryEventKind) String() string {
	return name([]string{"invalid", "fork", "remap", "remove", "unmap"}, uint8(k))
}

// A ServeError says that a page of a region cannot be had: its handler returned an error, panicked (then Err is
// a *[PanicError]), or ended. Everyone who waits for the page gets it, and everyone who comes later, until
// [Region.Drop]; after a fault of ServeWriteProtect it concerns writes alone, and [Region.Protect] ends it as
// well. Beside the methods of Region the page is SIGBUS to whoever touches it, on a kernel without
// UFFDIO_POISON (before 6.6) zeros, and with a remote handler SIGSEGV there.
type ServeError struct {
	Offset int64 // of the page
	Err    error
}

func (e *ServeError) Error() string {
	return fmt.Sprintf("serve page at offset %d: %v", e.Offset, e.Err)
}

// Unwrap returns what the handler said.
func (e *ServeError) Unwrap() error { return e.Err }

// A PanicError is a handler's panic.
type PanicError struct {
	Value any
	Stack []byte // as runtime/debug.Stack has it
}

func (e *PanicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.Value) }

// Unwrap returns the value where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ErrHandlerGone says that the process of a remote handler has ended, or closed the connection.
var ErrHandlerGone = errors.New("remote handler is gone")

var errHandlerEnded = errors.New("handler ended its goroutine")

func (o *ServeOptions) validate() error {
	const known = ServeMissing | ServeWriteProtect | ServeMinor
	switch {
	case o.Size <= 0 || o.Size > 1<<46:
		return fmt.Errorf("region of %d bytes: %w", o.Size, os.ErrInvalid)
	case o.Faults&^known != 0:
		return fmt.Errorf("faults %#x: %w", o.Faults, os.ErrInvalid)
	case (o.Handler == nil) == (o.Remote == nil):
		return fmt.Errorf("want one of Handler and Remote: %w", os.ErrInvalid)
	case o.Workers < 0 || o.Workers > 1024:
		return fmt.Errorf("%d workers: %w", o.Workers, os.ErrInvalid)
	case o.HugePages && o.Faults&ServeMinor != 0:
		return fmt.Errorf("minor faults of huge pages: %w", errors.ErrUnsupported)
	case o.Events != nil && o.Remote != nil:
		return fmt.Errorf("events of a region with a remote handler: %w", errors.ErrUnsupported)
	}
	return nil
}
