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

// Accesses are those of Forms, in order.
func Accesses() []Access {
	return []Access{
		{"read", 0, 8}, {"write", 16, 8}, {"read-write", 32, 8}, {"read", 48, 8}, {"read", 64, 8}, {"read-write", 80, 8},
		{"write", 96, 1}, {"write", 112, 2}, {"write", 128, 4}, {"write", 144, 16}, {"read-write", 160, 8}, {"write", 176, 1},
		{"read-write", 192, 8}, {"read", 208, 8}, {"read", 224, 4}, {"write", 240, 8}, {"read-write", 272, 8}, {"write", 288, 4},
		{"write", 304, 8}, {"write", 312, 16}, {"read", 336, 8}, {"read", 352, 1}, {"read", 360, 8}, {"read", 368, 1},
	}
}
