package kernelmatrix

import (
	"debug/elf"
	"errors"
	"fmt"
)

// machines names the architectures in ELF's terms.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkStatic fails where the guest could not run the file: the wrong
// architecture, or an interpreter that the guest does not have. Without it the
// guest would answer "no such file or directory".
func checkStatic(name, goarch string) (err error) {
	f, err := elf.Open(name)
	if err != nil {
		return fmt.Errorf("program %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if f.Machine != machines[goarch] {
		return fmt.Errorf("program %s is for %v, the kernel for %s", name, f.Machine, goarch)
	}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("program %s is dynamically linked: build it with CGO_ENABLED=0", name)
		}
	}
	return nil
}
