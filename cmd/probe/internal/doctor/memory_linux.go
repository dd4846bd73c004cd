package doctor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func memoryTrials() []trial {
	return []trial{
		{"transparent huge pages", transparentHugePages},
		{"hugetlb pages", hugetlbPages},
		{"swap", swap},
		{"userfaultfd", userfault},
	}
}

// transparentHugePages asks for one huge page and counts the faults that it takes to touch all of it.
func transparentHugePages(context.Context) Check {
	const dir = "/sys/kernel/mm/transparent_hugepage/"
	const means = "huge-page faults cannot be caused here, nor do programs gain by them"
	const remedy = "echo madvise | sudo tee " + dir + "enabled"
	const most = 64 << 20 // a huge page may be 512 MiB on arm64: too much to clear for a question

	enabled, err := os.ReadFile(dir + "enabled")
	if err != nil {
		return refused(err.Error(), means, "a kernel built with CONFIG_TRANSPARENT_HUGEPAGE=y")
	}
	setting := strings.TrimSpace(string(enabled))
	b, err := os.ReadFile(dir + "hpage_pmd_size")
	if err != nil {
		return limited(err.Error(), "not known", "")
	}
	size, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || size <= 0 || size > most {
		return limited(fmt.Sprintf("not tried: a huge page has %q bytes; enabled: %s", bytes.TrimSpace(b), setting), "not known", "")
	}
	faults, pages, err := touchHuge(size)
	if err != nil {
		return limited(fmt.Sprintf("%v; enabled: %s", err, setting), "not known", "")
	}
	evidence := fmt.Sprintf("faults for %d KiB after MADV_HUGEPAGE: %d; enabled: %s", size>>10, faults, setting)
	switch {
	case faults <= 4: // one, and a few that are the runtime's
		return passed("%s", evidence)
	case faults < pages:
		return limited(evidence, "huge pages come smaller than the processor's tables allow", remedy)
	}
	return refused(evidence, means, remedy)
}

// touchHuge writes to every base page of one aligned huge page.
func touchHuge(size int) (faults, pages uint64, err error) {
	mem, err := unix.Mmap(-1, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return 0, 0, os.NewSyscallError("mmap", err)
	}
	defer unix.Munmap(mem)
	misaligned := int(uintptr(unsafe.Pointer(unsafe.SliceData(mem))) % uintptr(size))
	huge := mem[(size-misaligned)%size:][:size]
	if err := unix.Madvise(huge, unix.MADV_HUGEPAGE); err != nil {
		return 0, 0, os.NewSyscallError("madvise", err)
	}
	before, err := faultsOf(unix.RUSAGE_THREAD)
	if err != nil {
		return 0, 0, err
	}
	step := os.Getpagesize()
	for i := 0; i < size; i += step {
		huge[i] = 1
	}
	after, err := faultsOf(unix.RUSAGE_THREAD)
	return after - before, uint64(size / step), err
}

// hugetlbPages maps one page of the pool. The kernel populates the mapping, because a touch would end in a
// signal where a cgroup's limit is reached.
func hugetlbPages(context.Context) Check {
	const means = "hugetlb faults cannot be caused here"
	const remedy = "echo 8 | sudo tee /proc/sys/vm/nr_hugepages"
	size, err := hugetlbSize()
	if err != nil {
		return refused(err.Error(), means, "a kernel built with CONFIG_HUGETLBFS=y")
	}
	setting := sysctl("vm.nr_hugepages")
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_HUGETLB|unix.MAP_POPULATE)
	if err != nil {
		return refused(fmt.Sprintf("mmap of %d KiB: %v; %s", size>>10, err, setting), means, remedy)
	}
	defer unix.Munmap(mem)
	var resident byte
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(mem))), uintptr(os.Getpagesize()), uintptr(unsafe.Pointer(&resident)))
	if errno != 0 || resident&1 == 0 {
		return refused(fmt.Sprintf("%d KiB mapped but not given (mincore: %v); %s", size>>10, errno, setting), means, remedy)
	}
	return passed("a page of %d KiB mapped and populated; %s", size>>10, setting)
}

// hugetlbSize is the size in bytes of the pool's pages.
func hugetlbSize() (int, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "Hugepagesize:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil || kib <= 0 || kib > 1<<24 {
				return 0, fmt.Errorf("/proc/meminfo: %q", strings.TrimSpace(line))
			}
			return kib << 10, nil
		}
	}
	return 0, errors.New("no Hugepagesize in /proc/meminfo")
}

// swap sends a page out and looks where it went.
func swap(context.Context) Check {
	const means = "anonymous memory takes no major faults: swap-in cannot be caused"
	b, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return refused(err.Error(), means, "a kernel built with CONFIG_SWAP=y")
	}
	areas := bytes.Count(b, []byte("\n")) - 1 // but for the heading
	if areas < 1 {
		return refused("/proc/swaps lists no area", means, "as root: fallocate -l 64M F; chmod 600 F; mkswap F; swapon F")
	}
	fresh, err := newPages()
	if err != nil {
		return limited(err.Error(), "not known", "")
	}
	defer fresh.free()
	fresh.touch()
	if err := unix.Madvise(fresh.mem, unix.MADV_PAGEOUT); err != nil {
		return limited(fmt.Sprintf("%d areas; madvise(MADV_PAGEOUT): %v", areas, err), "not known", "")
	}
	out, err := swappedOut(fresh)
	switch {
	case err != nil:
		return limited(fmt.Sprintf("%d areas; %v", areas, err), "not known", "")
	case out == 0:
		return limited(fmt.Sprintf("%d areas, but of %d pages told to go none did", areas, fresh.n), "swap-in may be impossible to cause", "")
	}
	return passed("%d areas; %d of %d pages told to go went there", areas, out, fresh.n)
}

// swappedOut counts the pages that are in swap, by Documentation/admin-guide/mm/pagemap.rst.
func swappedOut(p pages) (n int, err error) {
	const entrySize, swapped = 8, 1 << 62
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	entries := make([]byte, p.n*entrySize)
	first := uintptr(unsafe.Pointer(unsafe.SliceData(p.mem))) / uintptr(os.Getpagesize())
	if _, err := f.ReadAt(entries, int64(first)*entrySize); err != nil {
		return 0, err
	}
	for ; len(entries) > 0; entries = entries[entrySize:] {
		if binary.NativeEndian.Uint64(entries)&swapped != 0 {
			n++
		}
	}
	return n, nil
}
