//go:build linux && amd64

package pagefault_test

import (
	"context"
	"fmt"

	"github.com/ring3-go/ring3/mmu"
	"github.com/ring3-go/ring3/pagefault"
)

// An address of which the upper bits are neither all zero nor all one (with four levels of page tables, those from
// bit 47 on) never gets as far as a page fault: the processor raises #GP, and gives no address.
func ExampleCatchAccess() {
	for _, addr := range []uintptr{8, 0xffff_8000_0000_0000, 1 << 62} {
		f, err := pagefault.CatchAccess(context.Background(), addr, pagefault.AccessRead)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%#x: %s, %s, error code %s\n", addr, f.Exception(), f.CodeName(), f.ErrorCode.PageFault())
	}
	// Output:
	// 0x8: #PF, SEGV_MAPERR, error code user
	// 0xffff800000000000: #PF, SEGV_MAPERR, error code present|user
	// 0x4000000000000000: #GP, SI_KERNEL, error code 0
}

// In this process only accesses can be caught, not instructions, and no child is needed.
func ExampleFaultOf() {
	_, err := mmu.Guarded{}.Load64(8)
	f := pagefault.FaultOf(err)
	fmt.Printf("%s, vector %d, error code %s, address %#x\n", f.CodeName(), f.TrapNo, f.ErrorCode.PageFault(), f.Addr)
	// Output: SEGV_MAPERR, vector 14, error code user, address 0x8
}

// The table of exceptions, each raised in a child.
func ExampleExceptions() {
	for _, e := range pagefault.Exceptions()[:9] {
		if e.Text == "INT1" {
			continue // emulators do not know it
		}
		if e.Cannot != "" {
			fmt.Printf("%d %s: %s\n", e.Vector, e.Name, e.Cannot)
			continue
		}
		f, err := e.Catch(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %s, a %s: %s gives %s\n", f.TrapNo, f.Exception(), e.Kind, e.Text, f.CodeName())
	}
	// Output:
	// 0 #DE, a fault: DIV by 0 gives FPE_INTDIV
	// 0 #DE, a fault: IDIV of the least number by -1 gives FPE_INTDIV
	// 1 #DB, a trap: POPFQ with TF gives TRAP_TRACE
	// 2 NMI: a pin of the processor raises it
	// 3 #BP, a trap: INT3 gives SI_KERNEL
	// 4 #OF, a trap: INT 4 (INTO is none in 64-bit mode) gives SI_KERNEL
	// 5 #BR: BOUND is no instruction in 64-bit mode, and MPX is gone
	// 6 #UD, a fault: UD2 gives ILL_ILLOPN
}
