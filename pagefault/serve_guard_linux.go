//go:build amd64 || arm64

package pagefault

import (
	"os"
	"runtime"
	"structs"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A guard is a thread that puts memory out of reach when a remote handler has gone, or says that it cannot have a
// page. It is none of Go's: when the handler goes, a goroutine may be waiting for it in the kernel with its P, and
// the collector for that goroutine, and then no goroutine could do anything about it.
//
// It runs assembly that makes system calls and touches nothing but its own page, with every signal blocked, on no
// stack. It does not see what syscall.Setuid and its like do to the threads of Go; nothing that it does asks
// for a right.
type guard struct {
	socket int
	page   []byte // guardArgs at its beginning
}

// guardArgs is what the thread knows. Assembly names its fields.
type guardArgs struct {
	_          structs.HostLayout
	socket     int64
	uffd       int64
	all        [2]uint64 // the region: start and length, struct uffdio_range
	command    [2]uint64 // what the socket says is to be closed
	stack      uint64    // the end of the page; clone(2) asks for one
	tid        uint32    // cleared by the kernel when the thread has ended
	unusedHalf uint32
}

// guardStart starts the thread and returns its number, or an error number below zero. It must be called with all
// signals blocked.
//
//go:noescape
func guardStart(args unsafe.Pointer) int64

// startGuard starts a guard that owns the socket.
func startGuard(socket, uffd int, memory []byte) (*guard, error) {
	page, err := mapRegion(-1, int64(os.Getpagesize()), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	g := &guard{socket: socket, page: page}
	*g.args() = guardArgs{
		socket: int64(socket), uffd: int64(uffd),
		all:   [2]uint64{uint64(addressOf(memory)), uint64(len(memory))},
		stack: uint64(addressOf(page)) + uint64(len(page)),
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		_ = unmapRegion(page)
		return nil, os.NewSyscallError("rt_sigprocmask", err)
	}
	tid := guardStart(unsafe.Pointer(&page[0]))
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		panic("restore signal mask: " + err.Error()) // it is one that the kernel gave us
	}
	if tid < 0 {
		_ = unmapRegion(page)
		return nil, os.NewSyscallError("clone", unix.Errno(-tid))
	}
	return g, nil
}

func (g *guard) args() *guardArgs { return (*guardArgs)(unsafe.Pointer(&g.page[0])) }

// stop has the guard put all memory out of reach and end, and waits for that.
func (g *guard) stop() {
	_ = unix.Shutdown(g.socket, unix.SHUT_RDWR)
	for {
		tid := atomic.LoadUint32(&g.args().tid)
		if tid == 0 {
			break
		}
		// Not a private futex: the kernel's own wake at the end of a thread is not.
		_, _, _ = syscalls.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&g.args().tid)), 0, uintptr(tid), 0, 0, 0)
	}
	unix.Close(g.socket)
	_ = unmapRegion(g.page)
}
