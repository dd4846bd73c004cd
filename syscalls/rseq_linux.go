package syscalls

import (
	"fmt"
	"os"
	"runtime"
	"structs"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rseq is what the kernel and a thread share for restartable sequences, and to tell the thread where it
// runs, without a system call: struct rseq. The kernel writes the fields of the processor whenever the thread
// returns to user mode after it was preempted, moved or interrupted by a signal.
type Rseq struct {
	_          structs.HostLayout
	CPUIDStart uint32 // the processor, or 0 before the first
	CPUID      uint32 // the processor; before the first RSEQ_CPU_ID_UNINITIALIZED
	CS         uint64 // address of a struct rseq_cs while the thread is in a sequence, else 0; the kernel clears it
	Flags      uint32 // 0; what it meant is gone since 6.1
	NodeID     uint32 // the processor's NUMA node; since 6.3, else 0
	MMCID      uint32 // the number of this thread among those of its process that run, dense from 0; since 6.3, else 0
	_          uint32 // the kernel wants at least the 32 bytes of the first version
}

// Values of Rseq.CPUID that are no processor.
const (
	RSEQ_CPU_ID_UNINITIALIZED       = 1<<32 - 1 // not registered, or not yet
	RSEQ_CPU_ID_REGISTRATION_FAILED = 1<<32 - 2 // a C library's word for it
)

// A RseqThread is the registration of one thread. Its methods must be called by the goroutine that registered, which
// is locked to the thread until Close.
type RseqThread struct {
	page      []byte
	area      *Rseq
	signature uint32
}

// RegisterRseq locks the goroutine to its thread and registers an area for the thread, outside of Go's heap, because
// the kernel writes to it until the thread unregisters or dies. The signature is four bytes that must stand before each
// abort handler of a sequence; x86 uses 0x53053053, arm64 0xd428bc00 (a trap, should anybody execute it).
// A goroutine that ends without Close ends its thread, and leaves a page mapped.
//
// The Go runtime registers nothing, so in a program without cgo this works on every thread. In one with cgo, glibc
// since 2.35 has registered each of its threads, and the error is EINVAL, unless the program was started with
// GLIBC_TUNABLES=glibc.pthread.rseq=0.
//
// Errors: EINVAL, another area is registered; EBUSY, this one; EPERM, with another signature; ENOMEM; ENOSYS.
//
// Since Linux 4.18 (CONFIG_RSEQ). No privilege. It concerns the calling thread alone. <linux/rseq.h>.
func RegisterRseq(signature uint32) (*RseqThread, error) {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	// The start of a page has any alignment that the kernel wants, and what follows is zero.
	r := &RseqThread{page: page, area: (*Rseq)(unsafe.Pointer(unsafe.SliceData(page))), signature: signature}
	r.area.CPUID = RSEQ_CPU_ID_UNINITIALIZED
	runtime.LockOSThread()
	if err := r.rseq(0); err != nil {
		runtime.UnlockOSThread()
		_ = unix.Munmap(page)
		return nil, err
	}
	return r, nil
}

func (r *RseqThread) rseq(flags uintptr) error {
	_, _, errno := RawSyscall6(unix.SYS_RSEQ, uintptr(unsafe.Pointer(r.area)), unsafe.Sizeof(*r.area), flags, uintptr(r.signature), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rseq", errno)
	}
	return nil
}

// Load returns the area as it is now. Each field is true for itself: the thread may move between two of them.
// After Close all is zero but CPUID, which is RSEQ_CPU_ID_UNINITIALIZED.
func (r *RseqThread) Load() Rseq {
	if r.area == nil {
		return Rseq{CPUID: RSEQ_CPU_ID_UNINITIALIZED}
	}
	return Rseq{
		CPUIDStart: atomic.LoadUint32(&r.area.CPUIDStart),
		CPUID:      atomic.LoadUint32(&r.area.CPUID),
		CS:         atomic.LoadUint64(&r.area.CS),
		Flags:      atomic.LoadUint32(&r.area.Flags),
		NodeID:     atomic.LoadUint32(&r.area.NodeID),
		MMCID:      atomic.LoadUint32(&r.area.MMCID),
	}
}

// Area returns the address that is registered, for assembly that enters sequences; 0 after Close.
func (r *RseqThread) Area() uintptr { return uintptr(unsafe.Pointer(r.area)) }

// Close unregisters the area, gives its memory back and unlocks the goroutine from its thread. After the first time
// it does nothing.
//
// Errors: EINVAL, another thread calls than the one that registered; nothing is given back then, and the goroutine
// that registered can close it still. Since Linux 4.18.
func (r *RseqThread) Close() error {
	if r.area == nil {
		return nil
	}
	const unregister = 1 // RSEQ_FLAG_UNREGISTER
	if err := r.rseq(unregister); err != nil {
		return fmt.Errorf("unregister: %w", err)
	}
	r.area = nil
	runtime.UnlockOSThread()
	page := r.page
	r.page = nil
	return os.NewSyscallError("munmap", unix.Munmap(page))
}
