//go:build linux

package fiber

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is unsafe in this package is here: structures that Go and assembly share, in memory that the kernel
// gave and the garbage collector does not own. Such memory never moves, and Scheduler and Pair hold their
// mutex from the check that it is mapped to the last use.

// A sched is what the assembly knows of a Scheduler. It lies in Go's heap, where objects do not move either;
// blocks point to it, which the collector does not see, so that the Scheduler keeps it.
type sched struct {
	//lint:ignore U1000 the assembly alone uses it
	sp      uintptr // the goroutine's context while fibers run
	budget  int64   // turns still to give
	current *block  // whose turn is next; means nothing when live is 0
	live    int64   // fibers in the ring
	stop    atomic.Uint32
}

// A block is a fiber as the assembly sees it, at the top of its stack.
type block struct {
	yield uintptr // where a body calls to end its turn; must be first
	sp    uintptr // its context, while it does not run
	next  *block  // the ring
	prev  *block
	sched *sched
	done  uintptr
	_     [2]uintptr // so that the words have a cache line to themselves
	words [words]uint64
}

// An arena is a mapping of stacks, each with a guard page below it.
type arena struct {
	mapping []byte
	stacks  int
	guard   int // bytes: a page
	size    int // of a stack, without its guard
}

// mapStacks reserves all address space at once and makes the stacks in it accessible. What is between them
// is not, and stays so.
func mapStacks(stacks, size int) (*arena, error) {
	page := os.Getpagesize()
	a := &arena{stacks: stacks, guard: page, size: (size + page - 1) &^ (page - 1)}
	if a.size < size || stacks > (1<<46)/(a.guard+a.size) {
		return nil, fmt.Errorf("fiber: %d stacks of %d bytes do not fit the address space", stacks, size)
	}
	var err error
	a.mapping, err = unix.Mmap(-1, 0, stacks*(a.guard+a.size), unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE|unix.MAP_STACK)
	if err != nil {
		return nil, fmt.Errorf("fiber: map %d stacks of %d bytes: %w", stacks, a.size, os.NewSyscallError("mmap", err))
	}
	for i := range stacks {
		if err := unix.Mprotect(a.stack(i), unix.PROT_READ|unix.PROT_WRITE); err != nil {
			a.unmap()
			return nil, fmt.Errorf("fiber: stack %d of %d (see vm.max_map_count): %w", i, stacks,
				os.NewSyscallError("mprotect", err))
		}
	}
	return a, nil
}

func (a *arena) unmap() error { return os.NewSyscallError("munmap", unix.Munmap(a.mapping)) }

// stack is the accessible part of stack i.
func (a *arena) stack(i int) []byte {
	from := i*(a.guard+a.size) + a.guard
	return a.mapping[from : from+a.size : from+a.size]
}

func (a *arena) base() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(a.mapping))) }

// locate says where addr lies: in stack i or in the guard page below it; ok is false elsewhere.
func (a *arena) locate(addr uintptr) (i int, guard, ok bool) {
	if addr < a.base() || addr-a.base() >= uintptr(len(a.mapping)) {
		return 0, false, false
	}
	offset := int(addr - a.base())
	return offset / (a.guard + a.size), offset%(a.guard+a.size) < a.guard, true
}

// prepare writes the block and the first context of a fiber on stack i. The context says that the fiber
// stopped at the first instruction of start, with registers as start wants them.
func (a *arena) prepare(i int, body Body, s *sched) *block {
	stack := a.stack(i)
	at := len(stack) - int(unsafe.Sizeof(block{}))
	// at is a multiple of 16 inside the stack: pages are, and so is the size of a block.
	b := (*block)(unsafe.Pointer(&stack[at]))
	*b = block{yield: yieldEntry, sched: s}
	address := uintptr(unsafe.Pointer(b))
	writeContext(stack[:at], prepared{pc: startEntry, block: uint64(address), body: uint64(body.entry)})
	b.sp = address - contextSize
	return b
}

// preparePong writes the context of a Pair's other side, and returns its address.
func (a *arena) preparePong() uintptr {
	stack := a.stack(0)
	writeContext(stack, prepared{pc: pongEntry})
	return a.base() + uintptr(a.guard+len(stack)-contextSize)
}

// prepared is what differs from one prepared context to the other.
type prepared struct {
	pc          uintptr
	block, body uint64
}

// writeContext writes c at the end of stack, as SAVE would have left it there.
func writeContext(stack []byte, c prepared) {
	at := stack[len(stack)-contextSize:]
	for _, slot := range slots() {
		binary.NativeEndian.PutUint64(at[slot.offset:], slot.initial(c))
	}
}

// used finds the lowest word of stack i that is not zero any more.
func (a *arena) used(i int) int {
	stack := a.stack(i)
	for at := 0; at < len(stack); at += 8 {
		if binary.NativeEndian.Uint64(stack[at:]) != 0 {
			return len(stack) - at
		}
	}
	return 0
}

// loadText reads the bytes of an instruction. The program's text is mapped for as long as the process lives
// and is not the collector's: an address in it may be a number.
func loadText(pc uintptr, n int) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&pc)), n)
}
