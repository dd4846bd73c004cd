package features

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"runtime"
)

// tryVDSO looks a function up in the image that the kernel maps into every process.
func tryVDSO(amd64, arm64 string) error {
	name := map[string]string{"amd64": amd64, "arm64": arm64}[runtime.GOARCH]
	auxv, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return err
	}
	const sysinfoEHDR = 33 // AT_SYSINFO_EHDR
	var base uint64
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.NativeEndian.Uint64(auxv) == sysinfoEHDR {
			base = binary.NativeEndian.Uint64(auxv[8:])
		}
	}
	if base == 0 {
		return errors.New("this process has no vDSO")
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return err
	}
	defer mem.Close()
	file, err := elf.NewFile(io.NewSectionReader(mem, int64(base), math.MaxInt64-int64(base)))
	if err != nil {
		return err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return err
	}
	for _, s := range symbols {
		if s.Name == name {
			return nil
		}
	}
	return errors.New("the vDSO has no " + name)
}
