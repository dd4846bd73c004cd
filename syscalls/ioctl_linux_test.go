package syscalls

import (
	"testing"
	"unsafe"
)

// What a structure points to by number must be on the heap: a variable of the caller, which could be on the stack,
// costs an allocation. No such descriptor is there, and the error costs one as well.
func TestAddressesInStructuresAreOfTheHeap(t *testing.T) {
	var arg PmScanArg
	allRegions, page := new([2]PageRegion), new([64]byte)
	for _, tt := range []struct {
		name         string
		outer, local func()
	}{
		{
			"PagemapScan", func() { PagemapScan(-1, &arg, allRegions[:]) },
			func() { var regions [2]PageRegion; PagemapScan(-1, &arg, regions[:]) },
		},
		{
			"UffdCopy", func() { UffdCopy(-1, 0, page[:], 0) },
			func() { var page [64]byte; UffdCopy(-1, 0, page[:], 0) },
		},
	} {
		outer, local := testing.AllocsPerRun(100, tt.outer), testing.AllocsPerRun(100, tt.local)
		if local < outer+1 {
			t.Errorf("%s: %v allocations with memory of the heap, %v with a variable", tt.name, outer, local)
		}
	}
	stack := testing.AllocsPerRun(100, func() { var b [64]byte; RawSyscall(^uintptr(0), uintptr(unsafe.Pointer(&b)), 0, 0) })
	if stack != 0 {
		t.Errorf("an argument of the raw call: %v allocations", stack)
	}
}
