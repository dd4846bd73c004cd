//go:build amd64 || arm64

package vdso

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A State is what the vDSO's getrandom works with: a key from the kernel, and random bytes in stock. It belongs
// to no thread, so a goroutine may take it along to another one. It serves one call at a time; a second one at
// the same moment is made as a real call.
//
// The memory is mapped as the kernel wants it: it is not written to swap or core dumps, a forked child finds
// zeroes, and under pressure the kernel may drop it at any time, after which the next call asks for a new key.
type State struct {
	mapping []byte
	size    uintptr
	is      atomic.Int32 // one of the following
}

const (
	free = iota
	busy // by a call
	closed
)

// NewState maps a page for a state. Where the vDSO has no getrandom, or this process may not call it, it
// returns the reason, that of [Resolved], and ENOMEM where it cannot be mapped: [Getrandom] with a nil state makes
// real calls. Since Linux 6.11 (amd64) and 6.12 (arm64). Close it when it is no longer needed.
func NewState() (*State, error) {
	once.Do(resolve)
	if err := entries.Getrandom.Err; err != nil {
		return nil, err
	}
	// struct vgetrandom_opaque_params of include/uapi/linux/random.h.
	var params struct {
		size, prot, flags uint32
		_                 [13]uint32
	}
	if ret := callGetrandom(getrandomEntry, nil, 0, 0, unsafe.Pointer(&params), ^uintptr(0)); ret != 0 {
		return nil, os.NewSyscallError("vgetrandom", unix.Errno(-ret))
	}
	// Such states may share a page but not straddle two. With a page each, neither can happen.
	mapping, err := unix.Mmap(-1, 0, (int(params.size)+os.Getpagesize()-1)&^(os.Getpagesize()-1),
		int(params.prot), int(params.flags))
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &State{mapping: mapping, size: uintptr(params.size)}, nil
}

// Close unmaps the state. Closing it again does nothing. It fails with EBUSY during a call. Since Linux 6.11, as
// [NewState].
func (s *State) Close() error {
	switch {
	case s.is.CompareAndSwap(free, closed):
		return os.NewSyscallError("munmap", unix.Munmap(s.mapping))
	case s.is.Load() == closed:
		return nil
	}
	return os.NewSyscallError("munmap", unix.EBUSY)
}

// atOnce is how many bytes are had from the vDSO in one call: the goroutine cannot be preempted meanwhile. For
// more the real call is as fast.
const atOnce = 4096

// Getrandom fills p with random bytes and returns how many, as getrandom(2) does: all for up to 256 bytes, and
// for more it may be fewer, where a signal comes (EINTR where it is none). Flags are unix.GRND_*. With
// GRND_NONBLOCK it fails with EAGAIN before the kernel has gathered entropy, shortly after boot; without, it
// waits.
//
// With a state the bytes come from the vDSO; without (nil), with a closed or busy one, for more than 4 KiB and
// for GRND_RANDOM they come from the kernel. They are equally good. unix.Getrandom does the same with a state
// in the runtime's own care; this one is for who wants to see, or keep, the state. Since Linux 3.17.
func Getrandom(p []byte, flags int, state *State) (n int, err error) {
	if n, errno := state.fill(p, flags); errno == 0 {
		return n, nil
	}
	r, _, errno := syscalls.Syscall(unix.SYS_GETRANDOM, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags))
	if errno != 0 {
		return 0, os.NewSyscallError("getrandom", errno)
	}
	return int(r), nil
}

// fill has the vDSO fill p. With an error nothing is lost: the real call does it, or says what is wrong.
func (s *State) fill(p []byte, flags int) (n int, errno unix.Errno) {
	if s == nil || len(p) > atOnce || !s.is.CompareAndSwap(free, busy) {
		return 0, unix.EBUSY
	}
	defer s.is.Store(free)
	// Where the vDSO has to ask the kernel, it must not wait there: the scheduler does not know of it.
	ret := callGetrandom(getrandomEntry, unsafe.Pointer(unsafe.SliceData(p)), uintptr(len(p)),
		uint32(flags|unix.GRND_NONBLOCK), unsafe.Pointer(unsafe.SliceData(s.mapping)), s.size)
	if ret < 0 {
		return 0, unix.Errno(-ret)
	}
	return int(ret), 0
}
