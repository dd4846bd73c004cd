//go:build linux

package syscalls_test

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

func ExampleMincore() {
	page := os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(memory)
	unix.Madvise(memory, unix.MADV_NOHUGEPAGE) // a huge page would bring its neighbours
	memory[2*page] = 1

	vec := make([]byte, 4)
	err = syscalls.Mincore(uintptr(unsafe.Pointer(&memory[0])), uintptr(len(memory)), vec)
	fmt.Println(vec, err)
	// Output:
	// [0 0 1 0] <nil>
}

// Which pages of a mapping are in memory. On Linux 6.18 it prints
//
//	1 of them from page 2 on: PAGE_IS_PRESENT
//
// and before 6.7 "ioctl PAGEMAP_SCAN: inappropriate ioctl for device".
func ExamplePagemapScan() {
	page := os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(memory)
	unix.Madvise(memory, unix.MADV_NOHUGEPAGE)
	memory[2*page] = 1

	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pagemap.Close()
	start := uint64(uintptr(unsafe.Pointer(&memory[0])))
	arg := &syscalls.PmScanArg{
		Start: start, End: start + uint64(len(memory)),
		CategoryMask: syscalls.PAGE_IS_PRESENT,
		ReturnMask:   syscalls.PAGE_IS_PRESENT | syscalls.PAGE_IS_FILE,
	}
	regions := make([]syscalls.PageRegion, 8)
	n, err := syscalls.PagemapScan(int(pagemap.Fd()), arg, regions)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range regions[:n] {
		pages, first := (r.End-r.Start)/uint64(page), (r.Start-start)/uint64(page)
		fmt.Printf("%d of them from page %d on: %v\n", pages, first, r.Categories)
	}
}
