package step_test

import (
	"context"
	"fmt"

	"github.com/ring3-go/ring3/asm/deref"
	"github.com/ring3-go/ring3/asm/step"
)

// A dereference: the address is in a register before the step, and what is there is in it afterwards. (It has no
// expected output because addresses differ; the package's tests compare them.)
func ExampleAll() {
	for s, err := range step.All(context.Background(), deref.Lesson(), "Load64", step.Options{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Number, s.Go)
		for _, a := range s.Memory {
			fmt.Printf("  %v %d bytes at %#x: % x\n", a.Kind, a.Size, a.Addr, a.After)
		}
		for _, r := range s.Changed() {
			fmt.Printf("  %s %s -> %s\n", r.Name, r.Before.Hex(r.Bits), r.After.Hex(r.Bits))
		}
	}
}

// What the assembler made of a function needs no child.
func ExampleDisassemble() {
	for _, in := range step.Disassemble(deref.Lesson().Functions[1]) {
		if in.Offset == 0 {
			fmt.Println(in.Function)
		}
	}
	// Output: deref.Load64
}
