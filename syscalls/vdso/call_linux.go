//go:build amd64 || arm64

package vdso

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// ClockGettime reads a clock, unix.CLOCK_MONOTONIC say, into ts. It fails with EINVAL where the kernel has no
// such clock, and with EFAULT where ts is nil. Source: clock_gettime(2).
//
// For a clock that the vDSO does not keep (CPU times, alarms, or all but the coarse ones where the processor's
// counter is unfit), the vDSO itself makes the real call. Since Linux 2.6.
func ClockGettime(clock int32, ts *unix.Timespec) error {
	once.Do(resolve)
	if fn := clockGettimeEntry; fn != 0 && ts != nil {
		if ret := callClockGettime(fn, clock, ts); ret != 0 {
			return os.NewSyscallError("clock_gettime", unix.Errno(-ret))
		}
		return nil
	}
	_, _, errno := syscalls.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(ts)), 0)
	return result("clock_gettime", errno)
}

// Gettimeofday reads the time of day into tv, in microseconds. It fails with EFAULT where tv is nil. Source:
// gettimeofday(2), which calls it obsolete: [ClockGettime] of unix.CLOCK_REALTIME gives nanoseconds. Since 2.0.
func Gettimeofday(tv *unix.Timeval) error {
	once.Do(resolve)
	if tv == nil {
		return os.NewSyscallError("gettimeofday", unix.EFAULT) // both would take it for a question about the zone
	}
	if fn := gettimeofdayEntry; fn != 0 {
		if ret := callPointers(fn, unsafe.Pointer(tv), nil); ret != 0 {
			return os.NewSyscallError("gettimeofday", unix.Errno(-ret))
		}
		return nil
	}
	_, _, errno := syscalls.RawSyscall(unix.SYS_GETTIMEOFDAY, uintptr(unsafe.Pointer(tv)), 0, 0)
	return result("gettimeofday", errno)
}

// Getcpu returns the processor that the calling thread ran on at that moment, and its NUMA node: both may have
// changed since, unless the thread is bound (unix.SchedSetaffinity, runtime.LockOSThread). It cannot fail where no
// filter forbids it. Source: getcpu(2), since 2.6.19.
func Getcpu() (cpu, node int, err error) {
	once.Do(resolve)
	var c, n uint32
	if fn := getcpuEntry; fn != 0 {
		if ret := callPointers(fn, unsafe.Pointer(&c), unsafe.Pointer(&n)); ret != 0 {
			return 0, 0, os.NewSyscallError("getcpu", unix.Errno(-ret))
		}
		return int(c), int(n), nil
	}
	_, _, errno := syscalls.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&c)), uintptr(unsafe.Pointer(&n)), 0)
	return int(c), int(n), result("getcpu", errno)
}

func result(name string, errno unix.Errno) error {
	if errno != 0 {
		return os.NewSyscallError(name, errno)
	}
	return nil
}

// The assembly. Each calls fn with the arguments in the C convention, on the goroutine's stack. The arguments
// that are addresses have pointer types, because that stack may move before the call. Results are a C int, or
// for getrandom a ssize_t: an error is negative.

//go:noescape
func callClockGettime(fn uintptr, clock int32, ts *unix.Timespec) int32

// callPointers passes a third argument that is NULL: gettimeofday does not read it, getcpu ignores it.
//
//go:noescape
func callPointers(fn uintptr, a1, a2 unsafe.Pointer) int32

//go:noescape
func callGetrandom(fn uintptr, p unsafe.Pointer, n uintptr, flags uint32, state unsafe.Pointer, size uintptr) int64

// once fills the addresses of the functions; 0 stands for the real call. After that they do not change.
var (
	once sync.Once

	clockGettimeEntry, gettimeofdayEntry, getcpuEntry, getrandomEntry uintptr

	entries Entries
)
