package mmu

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrFault matches every [Fault].
var ErrFault = errors.New("address not accessible")

// An Access is what was tried at an address.
type Access uint8

// The kinds of access.
const (
	Load Access = iota + 1
	Store
)

func (a Access) String() string {
	switch a {
	case Load:
		return "load from"
	case Store:
		return "store to"
	}
	return fmt.Sprintf("access %d to", uint8(a))
}

// A Fault says which access the processor refused, and what the kernel made of it: the signal that it would
// have killed the program with.
type Fault struct {
	// Addr is the first byte that could not be accessed. On arm64 it has no tag in its top byte.
	Addr uintptr
	// Access is what was tried there.
	Access Access
	// Signal is SIGSEGV or SIGBUS.
	Signal syscall.Signal
	// Code is si_code of sigaction(2): [CodeMapErr] and the rest.
	Code int32
	// TrapNo is the processor's exception: on amd64 its vector (14, a page fault; 13, a general-protection
	// exception), on arm64 the class in ESR, or -1 where the kernel does not pass that on.
	TrapNo int
	// ErrorCode is what it said beside that: on amd64 the error code, on arm64 all of ESR.
	ErrorCode uint64
}

// Values of [Fault.Code], from include/uapi/asm-generic/siginfo.h. The first is of either signal, those that
// follow of SIGSEGV, the last ones of SIGBUS.
const (
	// CodeKernel is amd64's general-protection exception: the address is not canonical.
	CodeKernel = 0x80

	CodeMapErr     = 1 // nothing is mapped there
	CodeAccessErr  = 2 // the mapping does not allow it
	CodeBoundsErr  = 3
	CodeKeyErr     = 4 // the protection key does not allow it
	CodeTagAsync   = 8 // memory tags differ, found later
	CodeTagErr     = 9 // memory tags differ
	CodeShadowErr  = 10
	CodeAlignErr   = 1 // the address is not a multiple of what it has to be
	CodeBeyondFile = 2 // no page of the file is there (BUS_ADRERR)
	CodeObjectErr  = 3
	CodeHardware   = 4 // the memory is damaged (BUS_MCEERR_AR)
)

// Error names the access, the signal and what its code means.
func (f *Fault) Error() string {
	return fmt.Sprintf("%v %#x: %v: %v, %s", f.Access, f.Addr, ErrFault, f.Signal, f.meaning())
}

// Is reports whether target is [ErrFault].
func (f *Fault) Is(target error) bool { return target == ErrFault }

func (f *Fault) meaning() string {
	switch {
	case f.Code == CodeKernel:
		return "not canonical (SI_KERNEL)"
	case f.Signal == syscall.SIGSEGV && f.Code == CodeMapErr:
		return "nothing mapped (SEGV_MAPERR)"
	case f.Signal == syscall.SIGSEGV && f.Code == CodeAccessErr:
		return "not allowed by the mapping (SEGV_ACCERR)"
	case f.Signal == syscall.SIGSEGV && f.Code == CodeKeyErr:
		return "not allowed by its protection key (SEGV_PKUERR)"
	case f.Signal == syscall.SIGSEGV && f.Code == CodeTagErr:
		return "memory tags differ (SEGV_MTESERR)"
	case f.Signal == syscall.SIGBUS && f.Code == CodeAlignErr:
		return "not aligned (BUS_ADRALN)"
	case f.Signal == syscall.SIGBUS && f.Code == CodeBeyondFile:
		return "beyond the end of the file (BUS_ADRERR)"
	case f.Signal == syscall.SIGBUS && f.Code == CodeHardware:
		return "damaged memory (BUS_MCEERR_AR)"
	}
	return fmt.Sprintf("si_code %d", f.Code)
}
