package mmu

import (
	"syscall"
	"unsafe"
)

// Guarded accesses memory at addresses that nobody vouches for. Where the processor refuses, an access returns a
// *[Fault] instead of a signal that kills the program: for SIGSEGV and SIGBUS, whatever the address, those that
// are not canonical and those beyond the end of a mapped file included.
//
//	v, err := mmu.Guarded{}.Load64(addr)
//
// There is nothing to set up and nothing to close. The first access of a process puts a handler of SIGSEGV and
// SIGBUS before Go's, for good. It concerns itself with faults of the instructions of Guarded alone and leaves
// all else to Go's handler, so that os/signal, profiles, runtime/debug.SetPanicOnFault and crashes are as ever
// ([decision 18]). An access costs a few nanoseconds more than without the guard, and a fault as much as a
// signal does.
//
// Guarded is for memory that is not Go's: mappings, shared memory, addresses from elsewhere. It knows nothing
// of types, and a store can destroy what Go or anybody else has at an address. Aligned loads and stores
// are single instructions and so indivisible, but order nothing. What other threads do to the memory meanwhile
// makes the bytes indefinite, never the outcome: each access is made, or a fault is returned.
//
// On a processor with memory tags in use (arm64 MTE, synchronous) a wrong tag is a Fault too. All methods are
// safe for concurrent use, in any goroutine. They return an error that matches [errors.ErrUnsupported] where
// the Go runtime has no handler to chain to, or the linker has shuffled functions (-randlayout). Minimum kernel: any that Go runs on. No privilege.
//
// [decision 18]: https://github.com/ring3-go/ring3/blob/main/docs/adr/0018-guarded-access-by-a-handler-of-our-own.md
type Guarded struct{}

// Those of guarded_*.s. Without a fault sig is 0, and code and at mean nothing; with one r is what the processor said.
func load8(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func load16(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func load32(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func load64(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func store8(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func store16(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func store32(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func store64(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func copyBytes(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func zeroBytes(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
func matchBytes(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)

//go:noescape
func readBytes(a unsafe.Pointer, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)

//go:noescape
func writeBytes(a uintptr, b unsafe.Pointer, n uintptr) (r uint64, sig uint32, code int32, at uintptr)

// Load8 returns the byte at addr.
func (Guarded) Load8(addr uintptr) (uint8, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	v, sig, code, at := load8(addr, 0, 0)
	return uint8(v), result(v, sig, code, at, addr, Load)
}

// Load16 returns the two bytes from addr, in the order of the host.
func (Guarded) Load16(addr uintptr) (uint16, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	v, sig, code, at := load16(addr, 0, 0)
	return uint16(v), result(v, sig, code, at, addr, Load)
}

// Load32 returns the four bytes from addr, in the order of the host.
func (Guarded) Load32(addr uintptr) (uint32, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	v, sig, code, at := load32(addr, 0, 0)
	return uint32(v), result(v, sig, code, at, addr, Load)
}

// Load64 returns the eight bytes from addr, in the order of the host.
func (Guarded) Load64(addr uintptr) (uint64, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	v, sig, code, at := load64(addr, 0, 0)
	return v, result(v, sig, code, at, addr, Load)
}

// Store8 stores a byte at addr.
func (Guarded) Store8(addr uintptr, v uint8) error {
	if err := ready(); err != nil {
		return err
	}
	said, sig, code, at := store8(addr, uintptr(v), 0)
	return result(said, sig, code, at, addr, Store)
}

// Store16 stores two bytes from addr on, in the order of the host. Where they lie in two pages and the
// second refuses, amd64 stores neither; arm64 may store the first.
func (Guarded) Store16(addr uintptr, v uint16) error {
	if err := ready(); err != nil {
		return err
	}
	said, sig, code, at := store16(addr, uintptr(v), 0)
	return result(said, sig, code, at, addr, Store)
}

// Store32 stores four bytes from addr on; see [Guarded.Store16].
func (Guarded) Store32(addr uintptr, v uint32) error {
	if err := ready(); err != nil {
		return err
	}
	said, sig, code, at := store32(addr, uintptr(v), 0)
	return result(said, sig, code, at, addr, Store)
}

// Store64 stores eight bytes from addr on; see [Guarded.Store16].
func (Guarded) Store64(addr uintptr, v uint64) error {
	if err := ready(); err != nil {
		return err
	}
	said, sig, code, at := store64(addr, uintptr(v), 0)
	return result(said, sig, code, at, addr, Store)
}

// result makes the error of an access at addr.
func result(said uint64, sig uint32, code int32, at, addr uintptr, access Access) error {
	if sig == 0 {
		return nil
	}
	return newFault(said, sig, code, at, addr, access)
}

func newFault(said uint64, sig uint32, code int32, at, addr uintptr, access Access) error {
	if (at-addr)&untagged >= 8 {
		at = addr // the processor gives no address: not a page fault
	}
	f := &Fault{Addr: at, Access: access, Signal: syscall.Signal(sig), Code: code}
	f.TrapNo, f.ErrorCode = decodeSaid(said)
	return f
}
