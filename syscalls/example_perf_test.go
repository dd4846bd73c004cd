//go:build linux

package syscalls_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// The page faults of a few lines, and of nothing before or after them. It prints
//
//	16 faults or more: true
//
// and where kernel.perf_event_paranoid is above 2, without privilege, "perf_event_open: permission denied".
func ExamplePerfEventEnable() {
	runtime.LockOSThread() // the event is the thread's
	defer runtime.UnlockOSThread()
	attr := &unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_PAGE_FAULTS, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Bits: unix.PerfBitDisabled | unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
	}
	fd, err := unix.PerfEventOpen(attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		fmt.Println(os.NewSyscallError("perf_event_open", err))
		return
	}
	defer unix.Close(fd)
	page := os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 16*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(memory)
	unix.Madvise(memory, unix.MADV_NOHUGEPAGE)

	if err := syscalls.PerfEventEnable(fd, 0); err != nil {
		fmt.Println(err)
		return
	}
	for i := range 16 {
		memory[i*page] = 1
	}
	if err := syscalls.PerfEventDisable(fd, 0); err != nil {
		fmt.Println(err)
		return
	}
	count := make([]byte, 8)
	if _, err := unix.Read(fd, count); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("16 faults or more:", binary.NativeEndian.Uint64(count) >= 16)
}
