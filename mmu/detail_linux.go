package mmu

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
)

// A Detail is what /proc/PID/smaps says of a mapping, or /proc/PID/smaps_rollup of an address space: sizes in
// bytes, 0 where a kernel does not print them. See proc(5) and Documentation/filesystems/proc.rst.
type Detail struct {
	// Size is that of the mapping. KernelPageSize is the size of the pages that the kernel backs it with,
	// MMUPageSize of those that the processor maps.
	Size, KernelPageSize, MMUPageSize uint64
	// Rss is resident. Pss counts each page by its share: divided by how many map it.
	Rss, Pss, PssDirty, PssAnon, PssFile, PssShmem uint64
	// Rss is the sum of these four. Shared means mapped more than once, whoever does it.
	SharedClean, SharedDirty, PrivateClean, PrivateDirty uint64
	// Referenced was accessed since that was last cleared.
	Referenced uint64
	// Anonymous belongs to no file, or not any more, because somebody wrote to a private mapping.
	Anonymous uint64
	KSM       uint64 // merged with equal pages (Linux 6.7)
	LazyFree  uint64 // given up with MADV_FREE
	// Mapped by entries above the last level: anonymous memory, shared memory, files.
	AnonHugePages, ShmemPmdMapped, FilePmdMapped uint64
	// Pages set aside, which Rss does not count.
	SharedHugetlb, PrivateHugetlb uint64
	// Swap is swapped out; SwapPss is by share.
	Swap, SwapPss uint64
	Locked        uint64
	// THPEligible says that transparent huge pages may be used.
	THPEligible bool
	// ProtectionKey is the number of the key; 0 is everybody's.
	ProtectionKey int
	// Flags are the kernel's own, as its abbreviations; see [FlagMeaning].
	Flags []string
}

// Dirty was written to and not written back, in bytes.
func (d *Detail) Dirty() uint64 { return d.SharedDirty + d.PrivateDirty }

// Shared is resident and mapped more than once, in bytes, without hugetlb pages.
func (d *Detail) Shared() uint64 { return d.SharedClean + d.SharedDirty }

// Private is resident and mapped once, in bytes, without hugetlb pages.
func (d *Detail) Private() uint64 { return d.PrivateClean + d.PrivateDirty }

// HugeBytes is backed by huge pages of any kind, in bytes.
func (d *Detail) HugeBytes() uint64 {
	return d.AnonHugePages + d.ShmemPmdMapped + d.FilePmdMapped + d.SharedHugetlb + d.PrivateHugetlb
}

// Add adds the amounts of memory of e; page sizes, flags and the rest stay.
func (d *Detail) Add(e *Detail) {
	to, from := reflect.ValueOf(d).Elem(), reflect.ValueOf(e).Elem()
	for _, i := range amounts {
		to.Field(i).SetUint(to.Field(i).Uint() + from.Field(i).Uint())
	}
}

// smapsKeys are the fields of Detail by the kernel's name for them.
var smapsKeys = func() map[string]int {
	names := map[string]string{
		"PssDirty": "Pss_Dirty", "PssAnon": "Pss_Anon", "PssFile": "Pss_File", "PssShmem": "Pss_Shmem",
		"SharedClean": "Shared_Clean", "SharedDirty": "Shared_Dirty", "PrivateClean": "Private_Clean", "PrivateDirty": "Private_Dirty",
		"SharedHugetlb": "Shared_Hugetlb", "PrivateHugetlb": "Private_Hugetlb",
	}
	keys := map[string]int{}
	for i, f := range reflect.VisibleFields(reflect.TypeFor[Detail]()) {
		if f.Type.Kind() != reflect.Uint64 {
			continue
		}
		name := names[f.Name]
		if name == "" {
			name = f.Name
		}
		keys[name] = i
	}
	return keys
}()

// amounts are the fields that can be added up.
var amounts = func() (fields []int) {
	for name, i := range smapsKeys {
		if !strings.HasSuffix(name, "PageSize") {
			fields = append(fields, i)
		}
	}
	return fields
}()

// set stores a line "key: value". What is not known, of a later kernel, is left out.
func (d *Detail) set(key, value string) (err error) {
	value = strings.TrimSpace(value)
	switch key {
	case "VmFlags":
		d.Flags = strings.Fields(value)
		return nil
	case "THPeligible":
		d.THPEligible = value == "1"
		return nil
	case "ProtectionKey":
		d.ProtectionKey, err = strconv.Atoi(value)
		return err
	}
	i, ok := smapsKeys[key]
	if !ok {
		return nil
	}
	number, ok := strings.CutSuffix(value, " kB")
	if !ok {
		return fmt.Errorf("%q: no unit", value)
	}
	kib, err := strconv.ParseUint(number, 10, 54)
	if err != nil {
		return err
	}
	reflect.ValueOf(d).Elem().Field(i).SetUint(kib << 10)
	return nil
}

// flagMeanings are those of show_smap_vma_flags in fs/proc/task_mmu.c.
var flagMeanings = map[string]string{
	"rd": "readable", "wr": "writable", "ex": "executable", "sh": "shared",
	"mr": "may be made readable", "mw": "may be made writable", "me": "may be made executable", "ms": "may be shared",
	"gd": "grows down", "pf": "frames without struct page", "lo": "locked", "io": "device memory",
	"sr": "read sequentially", "rr": "read at random", "dc": "not copied on fork", "de": "not grown by mremap",
	"ac": "accounted", "nr": "swap not reserved", "ht": "hugetlb", "sf": "synchronous faults",
	"ar": "architecture's own", "wf": "wiped on fork", "dd": "not dumped", "sd": "soft-dirty tracked",
	"mm": "mixed frames", "hg": "huge pages advised", "nh": "huge pages advised against", "mg": "may be merged",
	"bt": "branch-target identification", "mt": "memory tags", "um": "userfaultfd: missing", "uw": "userfaultfd: write-protect",
	"ui": "userfaultfd: minor", "ss": "shadow stack", "sl": "sealed", "lf": "locked on fault", "dp": "dropped when memory is short",
	"gu": "guard regions",
}

// FlagMeaning says what an abbreviation in [Detail.Flags] stands for; nothing for one that is not known.
func FlagMeaning(flag string) string { return flagMeanings[flag] }

// pmdSize is what an entry of the level above the last maps: a table fills a page of 8-byte entries.
func pmdSize() uint64 {
	page := uint64(os.Getpagesize())
	return page / 8 * page
}
