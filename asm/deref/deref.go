//go:build linux

package deref

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Number loads from address 1111111111111111, and returns what is there. Nothing is, and it crashes the
// program unless [TryNumber] calls it.
func Number() uint64

// Load64 returns the eight bytes at addr in the processor's byte order. It crashes the program where they
// cannot be read; see [TryLoad64].
func Load64(addr uintptr) uint64

// Store64 stores v at addr. It crashes the program where that cannot be written; see [TryStore64].
func Store64(addr uintptr, v uint64)

// LoadIndex returns element i of an array of eight-byte elements that begins at base: the load from base+8*i.
func LoadIndex(base uintptr, i int) uint64

// Load8 returns the byte at addr.
func Load8(addr uintptr) uint8

// Where the functions begin; the assembly fills them in.
var numberEntry, load64Entry, store64Entry, loadIndexEntry, load8Entry uintptr

// ErrFault matches every error that reports a load or store which the processor refused.
var ErrFault = errors.New("memory fault")

// A FaultError says which access the processor refused.
type FaultError struct {
	// Op is "load" or "store".
	Op string
	// Addr is the address that was asked for.
	Addr uintptr
	// Reported is the address in the signal, si_addr, where Known says that the runtime passed it on: below
	// 4096 it does not. It is the first byte that could not be accessed; and 0 where the processor gives no
	// address, as amd64 for one that is not canonical.
	Reported uintptr
	Known    bool
}

func (e *FaultError) Error() string {
	switch {
	case !e.Known:
		return fmt.Sprintf("%s at %#x: %v", e.Op, e.Addr, ErrFault)
	case e.Reported == 0:
		return fmt.Sprintf("%s at %#x: %v, and the processor gives no address", e.Op, e.Addr, ErrFault)
	}
	return fmt.Sprintf("%s at %#x: %v at %#x", e.Op, e.Addr, ErrFault, e.Reported)
}

// Is makes every FaultError match [ErrFault].
func (e *FaultError) Is(target error) bool { return target == ErrFault }

// TryLoad64 is [Load64] for an address that nobody vouches for. For any value of addr it returns a
// [*FaultError] where the load faults, and leaves the goroutine as it found it.
func TryLoad64(addr uintptr) (v uint64, err error) {
	err = try("load", addr, func() { v = Load64(addr) })
	return v, err
}

// TryStore64 is [Store64] likewise. Nothing has been written where it fails and the eight bytes lie in one
// page; across two, some processors write what is in the first.
func TryStore64(addr uintptr, v uint64) error {
	return try("store", addr, func() { Store64(addr, v) })
}

// TryNumber is [Number] likewise.
func TryNumber() (v uint64, err error) {
	err = try("load", 1111111111111111, func() { v = Number() })
	return v, err
}

// try calls access and returns the fault that it ends in, if it does. The kernel sends SIGSEGV or SIGBUS to
// the thread; the runtime's handler makes the thread go on in a panic, as if the faulting instruction had
// called it. That a panic and not a crash comes of an address beyond the nil page has to be asked for.
func try(op string, addr uintptr, access func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = &FaultError{Op: op, Addr: addr, Reported: r.Addr(), Known: true}
		default: // below 4096: the nil-pointer panic of every Go program
			err = &FaultError{Op: op, Addr: addr}
		}
	}()
	access()
	return nil
}
