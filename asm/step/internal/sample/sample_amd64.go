//go:build linux

package sample

import (
	"fmt"
	"unsafe"

	"github.com/ring3-go/ring3/asm"
)

// Copy copies n bytes by one repeated instruction.
func Copy(dst, src uintptr, n uint64)

// Find compares n bytes at addr with b by one repeated instruction, which ends at the first that differs.
func Find(addr uintptr, n uint64)

var copyEntry, findEntry uintptr

func more() []asm.Function {
	return []asm.Function{
		{Name: "Copy", Entry: copyEntry, Call: func() {
			text := []byte("a string instruction                                                     ")
			fmt.Printf("%#x\n", &text[0])
			Copy(uintptr(unsafe.Pointer(&text[36])), uintptr(unsafe.Pointer(&text[0])), 20)
		}},
		{Name: "Find", Entry: findEntry, Call: func() {
			zeros := make([]byte, 100)
			zeros[9] = 1
			Find(uintptr(unsafe.Pointer(&zeros[0])), 100)
		}},
	}
}
