package features

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Running returns the kernel that runs. On a process emulator it is the host's, of another architecture.
func Running() (Kernel, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return Kernel{}, os.NewSyscallError("uname", err)
	}
	release, err := ParseVersion(unix.ByteSliceToString(uts.Release[:]))
	if err != nil {
		return Kernel{}, err
	}
	k := Kernel{
		Arch:      runtime.GOARCH,
		Release:   release,
		Reference: strings.Contains(unix.ByteSliceToString(uts.Version[:]), "Debian"),
	}
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return Kernel{}, fmt.Errorf("read the processor's features: %w", err)
	}
	k.Processor = readProcessor(string(cpuinfo))
	if k.Reference {
		return k, nil // a hundred thousand symbols take an emulated processor seconds, and nothing depends on them
	}
	kallsyms, err := os.ReadFile("/proc/kallsyms")
	if err != nil && !os.IsNotExist(err) && !os.IsPermission(err) {
		return Kernel{}, fmt.Errorf("read the kernel's symbols: %w", err)
	}
	k.Symbols = readSymbols(string(kallsyms))
	return k, nil
}
