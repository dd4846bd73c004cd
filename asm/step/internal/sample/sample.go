//go:build linux

package sample

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm"
)

// Functions of both processors; each says what it does.

// Outer calls Inner, which returns 2*x, and adds 1.
func Outer(x uint64) uint64

// Inner returns 2*x.
func Inner(x uint64) uint64

// Foreign calls GoHelper, which is no assembly.
func Foreign(x uint64) uint64

// GoHelper returns 3*x.
//
//go:noinline
func GoHelper(x uint64) uint64 { return 3 * x }

// Break executes a breakpoint instruction.
func Break()

// Trap executes an instruction that is undefined.
func Trap()

// Forever does not return.
func Forever()

// Add adds n to the word at addr in a loop over load-exclusive and store-exclusive where the processor has
// them, and returns the sum.
func Add(addr uintptr, n uint64) uint64

// Pid is getpid(2) by the instruction.
func Pid() uint64

// Stack pushes x and pops it, on arm64 with another register than the stack pointer.
func Stack(x uint64) uint64

// Vector copies 16 bytes through a vector register.
func Vector(dst, src uintptr)

// Strange executes an instruction that the disassembler does not know.
func Strange()

// Forms accesses memory from base on in many ways; [Accesses] are the offsets, as written here by hand.
func Forms(base uintptr)

// An Access is one that Forms makes.
type Access struct {
	Kind   string // "read", "write" or "read-write"
	Offset uint64
	Size   uint64
}

// arena is what Forms works in.
const arena = 512

var formsEntry, outerEntry, innerEntry, foreignEntry, breakEntry, trapEntry, foreverEntry, addEntry, pidEntry, stackEntry, vectorEntry, strangeEntry uintptr

// Lesson has the functions. What a test has to know of the child is printed before each call.
func Lesson() asm.Lesson {
	functions := []asm.Function{
		{Name: "Outer", Entry: outerEntry, Call: func() { Outer(20) }},
		{Name: "Foreign", Entry: foreignEntry, Call: func() { Foreign(14) }},
		{Name: "Break", Entry: breakEntry, Call: Break},
		{Name: "Trap", Entry: trapEntry, Call: Trap},
		{Name: "Forever", Entry: foreverEntry, Call: Forever},
		{Name: "Add", Entry: addEntry, Call: func() {
			v := new(uint64)
			*v = 40
			fmt.Printf("%#x\n", unsafe.Pointer(v))
			Add(uintptr(unsafe.Pointer(v)), 2)
		}},
		{Name: "Pid", Entry: pidEntry, Call: func() {
			fmt.Println(os.Getpid())
			Pid()
		}},
		{Name: "Stack", Entry: stackEntry, Call: func() { Stack(42) }},
		{Name: "Vector", Entry: vectorEntry, Call: func() {
			v := &[4]uint64{1, 2, 3, 4}
			fmt.Printf("%#x\n", unsafe.Pointer(v))
			Vector(uintptr(unsafe.Pointer(&v[2])), uintptr(unsafe.Pointer(&v[0])))
		}},
		{Name: "Strange", Entry: strangeEntry, Call: Strange},
		{Name: "Forms", Entry: formsEntry, Call: func() {
			v := make([]byte, 2*arena)
			base := (uintptr(unsafe.Pointer(&v[0])) + arena - 1) &^ (arena - 1) // aligned, and in v, which stays
			fmt.Printf("%#x\n", base)
			Forms(base)
			runtime.KeepAlive(v)
		}},
		{Name: "Never", Entry: innerEntry, Call: func() {}},
		{Name: "Exits", Entry: innerEntry, Call: func() { unix.Exit(7) }},
		{Name: "Panics", Entry: innerEntry, Call: func() { panic("no way") }},
	}
	return asm.Lesson{Name: "sample", Question: "How is this stepped?", Functions: append(functions, more()...)}
}
