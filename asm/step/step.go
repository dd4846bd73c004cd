package step

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Errors of this package; each is wrapped with what was being done.
var (
	// ErrClosed is that of a session after Close.
	ErrClosed = errors.New("session is closed")
	// ErrLimit ends a function that takes more than [Options].Max steps.
	ErrLimit = errors.New("too many steps")
	// ErrNoChild is that of a program which does not call [Child] first.
	ErrNoChild = errors.New("the program does not call step.Child before all else")
	// ErrEnded is that of a child which ended by itself.
	ErrEnded = errors.New("the child ended")
)

// StepsMax is how many steps a session makes where Options say nothing.
const StepsMax = 100_000

// Calls says what becomes of functions that the stepped one calls or jumps to.
type Calls int

const (
	// CallsOwn descends into functions of the same package. Others, of the Go runtime or the vDSO, run as a
	// part of the step that went to them.
	CallsOwn Calls = iota
	// CallsAll descends into everything but the runtime's way to a larger stack.
	CallsAll
	// CallsNone stays in the function.
	CallsNone
)

// Options of a session; the zero value is good.
type Options struct {
	Calls Calls
	// Max is the number of steps after which [ErrLimit] comes; 0 is [StepsMax].
	Max int
	// Stdout gets what the child writes there, from a goroutine of the session, which ends before Close does.
	// nil drops it. What it writes to standard error is quoted where it ends by itself.
	Stdout io.Writer
}

// An Instruction is one of those that stand in memory.
type Instruction struct {
	PC    uint64
	Bytes []byte
	// Go, GNU and Intel are the text in the syntax of Go's assembler, of the GNU tools (AT&T on amd64) and,
	// on amd64, of Intel's manuals. All are empty where the decoder, golang.org/x/arch, does not know the
	// instruction.
	Go, GNU, Intel string
	// Function is that which the instruction belongs to, as "deref.Load64", and Offset the distance from its
	// beginning. Both are zero outside of the binary: in the vDSO.
	Function string
	Offset   uint64
	// File and Line are where the assembler read it; zero outside of the binary.
	File string
	Line int
}

// Known reports whether the decoder knows the instruction.
func (i Instruction) Known() bool { return i.Go != "" }

// A Step is an instruction and what it did.
type Step struct {
	Instruction
	// Number counts from 1.
	Number int
	// Next is the program counter after it.
	Next uint64
	// Last says that no step follows: the function has returned to its caller, or raised a fault.
	Last bool
	// Registers are all that the stepper knows, in a fixed order, without the program counter.
	Registers []Register
	// Memory has the accesses, in the order of the operands.
	Memory []Access
	// Fault is what the instruction raised instead of completing, or, where a breakpoint instruction was
	// executed, by completing. It is the last step then.
	Fault *Fault
	// Sequence are the instructions from a load-exclusive to its store-exclusive, this one included; they
	// ran as one step. nil otherwise.
	Sequence []Instruction
	// Times is how often a repeated string instruction ran; 1 with others.
	Times uint64
	// Over is the function that was called and ran as a part of this step, "" where none was. A function
	// outside of the binary goes by its address.
	Over string
	// Note says in words what the registers alone do not.
	Note string
}

// Changed returns the registers that the step changed.
func (s *Step) Changed() []Register {
	var changed []Register
	for _, r := range s.Registers {
		if r.Before != r.After {
			changed = append(changed, r)
		}
	}
	return changed
}

// A Register before and after a step, by the name that Go's assembler has for it.
type Register struct {
	Name string
	// Bits is its size: 64, or 128 and 256 for vector registers.
	Bits          int
	Before, After Value
}

// A Value of a register, the least significant 64 bits first.
type Value [4]uint64

// Hex returns the value of so many bits, with leading zeros only in vector registers.
func (v Value) Hex(bits int) string {
	if bits <= 64 {
		return fmt.Sprintf("%#x", v[0])
	}
	var b strings.Builder
	b.WriteString("0x")
	for i := bits/64 - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "%016x", v[i])
	}
	return b.String()
}

// Kind is how memory was accessed.
type Kind int

const (
	Read Kind = iota + 1
	Write
	ReadWrite
)

func (k Kind) String() string {
	switch k {
	case Read:
		return "read"
	case Write:
		return "write"
	case ReadWrite:
		return "read-write"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// DataMax is how many bytes of an access a step holds.
const DataMax = 64

// An Access to memory, its address computed from the operands as they were before the step.
type Access struct {
	Kind Kind
	Addr uint64
	// Size is the number of bytes.
	Size uint64
	// Before and After are up to [DataMax] bytes as they were in memory before the step and after it; nil
	// where they cannot be read.
	Before, After []byte
}

// A Fault as siginfo_t has it.
type Fault struct {
	// Signal is its name, "SIGSEGV".
	Signal string
	Number int
	// Code is si_code, and CodeName its name, "SEGV_MAPERR", or the number where it has none.
	Code     int
	CodeName string
	// Addr is si_addr: the address that could not be accessed (SIGSEGV, SIGBUS) or the instruction. On amd64
	// it is 0 where the processor gives none, with SI_KERNEL.
	Addr uint64
	// PC is where it was raised, which differs from the step's where a called function ran as a part of it.
	PC uint64
}

func (f *Fault) String() string {
	return fmt.Sprintf("%s (%s) at address %#x", f.Signal, f.CodeName, f.Addr)
}
