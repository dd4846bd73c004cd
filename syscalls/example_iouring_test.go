//go:build linux

package syscalls_test

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A ring by hand: make it, map its queues, put an operation into one, enter the kernel, and take the completion
// from the other.
func ExampleIoUringSetup() {
	params := &syscalls.IoUringParams{}
	fd, err := syscalls.IoUringSetup(4, params)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(fd)

	const rw, shared = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	entrySize, completionSize := int(unsafe.Sizeof(syscalls.IoUringSQE{})), int(unsafe.Sizeof(syscalls.IoUringCQE{}))
	size := max(int(params.SQOff.Array)+4*int(params.SQEntries), int(params.CQOff.CQEs)+completionSize*int(params.CQEntries))
	queues, err := unix.Mmap(fd, syscalls.IORING_OFF_SQ_RING, size, rw, shared)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(queues)
	entries, err := unix.Mmap(fd, syscalls.IORING_OFF_SQES, entrySize*int(params.SQEntries), rw, shared)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(entries)
	at := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&queues[offset])) }

	// The first entry is at index 0 of a new ring, and the array says so already. The tail makes it the kernel's.
	entry := (*syscalls.IoUringSQE)(unsafe.Pointer(&entries[0]))
	*entry = syscalls.IoUringSQE{Opcode: syscalls.IORING_OP_NOP, UserData: 7}
	atomic.StoreUint32(at(params.SQOff.Tail), 1)

	n, err := syscalls.IoUringEnter(fd, 1, 1, syscalls.IORING_ENTER_GETEVENTS, nil)
	fmt.Println("submitted", n, err)

	completions := atomic.LoadUint32(at(params.CQOff.Tail))
	first := (*syscalls.IoUringCQE)(unsafe.Pointer(&queues[params.CQOff.CQEs]))
	fmt.Println(completions, "completion of", first.UserData, "with", first.Res)
	atomic.StoreUint32(at(params.CQOff.Head), completions)
	// Output:
	// submitted 1 <nil>
	// 1 completion of 7 with 0
}

func ExampleIoUringSetupFlags_String() {
	flags := syscalls.IORING_SETUP_SINGLE_ISSUER | syscalls.IORING_SETUP_DEFER_TASKRUN
	fmt.Println(flags)
	fmt.Println(syscalls.IORING_OP_SEND_ZC, uint8(syscalls.IORING_OP_SEND_ZC))
	// Output:
	// IORING_SETUP_SINGLE_ISSUER|IORING_SETUP_DEFER_TASKRUN
	// IORING_OP_SEND_ZC 47
}
