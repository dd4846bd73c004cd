package mmu

import (
	"slices"
	"strings"
)

// A VMA is a mapping of an address space, as /proc/PID/maps has it: addresses from Start up to End, which does
// not belong to it.
type VMA struct {
	Start, End uintptr
	Perms      Perms
	// Offset is where in the file Start is, in bytes; for anonymous memory it is 0.
	Offset uint64
	// Major and Minor are the device and Inode the file on it; all 0 without a file.
	Major, Minor uint32
	Inode        uint64
	// Path is as the kernel prints it: a file, with \012 for a line break and " (deleted)" where it has no name
	// any more, or a name in brackets like [heap], or nothing.
	Path string
	// Detail is what /proc/PID/smaps adds; nil where that was not read.
	Detail *Detail
}

// Size is in bytes.
func (v *VMA) Size() uint64 { return uint64(v.End - v.Start) }

// Contains reports whether addr lies in the mapping.
func (v *VMA) Contains(addr uintptr) bool { return v.Start <= addr && addr < v.End }

// Perms are what a mapping allows, and whether others share it.
type Perms uint8

// The permissions.
const (
	Readable Perms = 1 << iota
	Writable
	Executable
	Shared // MAP_SHARED: stores reach the file and everybody who maps it
)

// String is as in /proc/PID/maps: "rw-p".
func (p Perms) String() string {
	b := []byte("---p")
	for i, c := range []byte("rwxs") {
		if p&(1<<i) != 0 {
			b[i] = c
		}
	}
	return string(b)
}

// A Kind is what a mapping is of.
type Kind string

// The kinds.
const (
	KindFile      Kind = "file"      // of a file system
	KindSharedMem Kind = "shmem"     // tmpfs, memfd, System V, /dev/zero: pages that swap
	KindHugetlb   Kind = "hugetlb"   // of huge pages set aside
	KindDevice    Kind = "device"    // of a driver, or an anonymous inode
	KindHeap      Kind = "heap"      // brk
	KindStack     Kind = "stack"     // of the first thread
	KindAnonymous Kind = "anonymous" // anything else without a file
	KindKernel    Kind = "kernel"    // of the kernel's own making: [vdso], [vvar], [vsyscall]
)

// Kind returns what the mapping is of, by its name and, where there is Detail, its flags.
func (v *VMA) Kind() Kind {
	d, path := v.Detail, strings.TrimSuffix(v.Path, " (deleted)")
	switch {
	case d != nil && slices.Contains(d.Flags, "ht"), strings.HasPrefix(path, "/anon_hugepage"):
		return KindHugetlb
	case path == "[heap]":
		return KindHeap
	case path == "[stack]":
		return KindStack
	case path == "[vdso]", path == "[vsyscall]", path == "[sigpage]", path == "[vectors]", path == "[uprobes]", strings.HasPrefix(path, "[vvar"):
		return KindKernel
	case path == "", strings.HasPrefix(path, "[anon:"), path == "[anon]":
		return KindAnonymous
	case strings.HasPrefix(path, "/memfd:"), strings.HasPrefix(path, "/SYSV"), strings.HasPrefix(path, "/dev/shm/"),
		strings.HasPrefix(path, "/dev/zero"), strings.HasPrefix(path, "[anon_shmem:"), strings.HasPrefix(path, "/drm mm object"):
		return KindSharedMem
	case strings.HasPrefix(path, "/dev/"), strings.HasPrefix(path, "anon_inode:"), strings.HasPrefix(path, "socket:"), strings.HasPrefix(path, "/dmabuf:"):
		return KindDevice
	case strings.HasPrefix(path, "["):
		return KindKernel
	}
	return KindFile
}

// A Huge says by what kind of huge pages, if any, a mapping is backed now.
type Huge struct {
	// Kind is "" for none, "thp" for transparent huge pages, "hugetlb" for pages set aside.
	Kind string
	// PageSize is theirs in bytes; of transparent ones it is the size that an entry above the last level maps,
	// and 0 where the pages are smaller than that or there are none.
	PageSize uint64
	// Bytes is how much of the mapping they back.
	Bytes uint64
}

// Huge returns the huge pages of a mapping with Detail.
func (v *VMA) Huge() Huge {
	d := v.Detail
	if d == nil {
		return Huge{}
	}
	if slices.Contains(d.Flags, "ht") {
		return Huge{Kind: "hugetlb", PageSize: d.KernelPageSize, Bytes: d.SharedHugetlb + d.PrivateHugetlb}
	}
	if thp := d.AnonHugePages + d.ShmemPmdMapped + d.FilePmdMapped; thp > 0 {
		return Huge{Kind: "thp", PageSize: pmdSize(), Bytes: thp}
	}
	return Huge{}
}

// Find returns the mapping that addr lies in, or nil. vmas are in the order of addresses, as all functions here
// return them.
func Find(vmas []VMA, addr uintptr) *VMA {
	i, _ := slices.BinarySearchFunc(vmas, addr, func(v VMA, addr uintptr) int {
		if v.End <= addr {
			return -1
		}
		return 1
	})
	if i < len(vmas) && vmas[i].Contains(addr) {
		return &vmas[i]
	}
	return nil
}
