package vdso

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Symbol is a function of the vDSO.
type Symbol struct {
	Name    string  // as in vdso(7): "__vdso_clock_gettime"
	Version string  // "LINUX_2.6"; empty where the image has none
	Addr    uintptr // of its first instruction, in this process
	Size    uint64  // in bytes, as the image has it
}

// Lookup finds a function of the vDSO by its name, in its default version. Names differ between architectures:
// [vdso(7)] lists them. It fails with [ErrNotFound] where this kernel's vDSO has none of that name, and with
// [ErrNoVDSO] where the process has no vDSO.
//
// The address is for assembly: it follows the C calling convention, and runs on the stack that it is called
// with. Safe for concurrent use. Minimum kernel: every one that Go runs on. No privilege is needed.
//
// [vdso(7)]: https://man7.org/linux/man-pages/man7/vdso.7.html
func Lookup(name string) (Symbol, error) { return LookupVersion(name, "") }

// LookupVersion is [Lookup] for a function in a given version, "LINUX_2.6", whether or not it is the default.
func LookupVersion(name, version string) (Symbol, error) {
	own, err := mapped()
	if err != nil {
		return Symbol{}, err
	}
	f, err := own.lookup(name, version)
	if err != nil {
		return Symbol{}, err
	}
	return Symbol{name, f.version, uintptr(unsafe.Pointer(&own.data[f.offset])), f.size}, nil
}

// mapped is the image that the kernel mapped into this process, parsed once. It stays where it is for as long
// as the process lives.
var mapped = sync.OnceValues(func() (*image, error) {
	vector, err := unix.Auxv()
	if err != nil {
		return nil, fmt.Errorf("vdso: read the auxiliary vector: %w", err)
	}
	var base uintptr
	for _, entry := range vector {
		if entry[0] == auxSysinfoEHDR {
			base = entry[1]
		}
	}
	if base == 0 {
		return nil, ErrNoVDSO
	}
	// The kernel vouches for one page at that address, and the headers in it for how much follows.
	headers := memory(base, uint64(os.Getpagesize()))
	size, err := extent(headers)
	if err != nil {
		return nil, err
	}
	return parseImage(memory(base, size))
})

// auxSysinfoEHDR is AT_SYSINFO_EHDR of getauxval(3): the address of the vDSO.
const auxSysinfoEHDR = 33

// memory returns size bytes at an address of the kernel's own mapping: outside of what the garbage collector
// knows, read-only, and never unmapped. The address is loaded as a pointer, not converted to one, because that
// is what it is.
func memory(address uintptr, size uint64) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), size)
}
