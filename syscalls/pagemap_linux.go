package syscalls

import (
	"structs"
	"unsafe"
)

// PageCategories say what is known of a page: [PagemapScan].
type PageCategories uint64

const (
	PAGE_IS_WPALLOWED  PageCategories = 1 << 0 // a userfaultfd protects it asynchronously (UFFD_FEATURE_WP_ASYNC). Since 6.7, arm64 6.10
	PAGE_IS_WRITTEN    PageCategories = 1 << 1 // it was written since it was protected last; also where nothing protects it. Since 6.7, arm64 6.10
	PAGE_IS_FILE       PageCategories = 1 << 2 // it is a file's, or of shared memory. Since 6.7
	PAGE_IS_PRESENT    PageCategories = 1 << 3 // it is in memory and mapped. Since 6.7
	PAGE_IS_SWAPPED    PageCategories = 1 << 4 // it is swapped out, or on the move. Since 6.7
	PAGE_IS_PFNZERO    PageCategories = 1 << 5 // it is the page of zeros. Since 6.7
	PAGE_IS_HUGE       PageCategories = 1 << 6 // one entry of a higher table maps it: a huge page. Since 6.7
	PAGE_IS_SOFT_DIRTY PageCategories = 1 << 7 // it was written since /proc/pid/clear_refs got a 4. Since 6.7, not arm64
	PAGE_IS_GUARD      PageCategories = 1 << 8 // it is a guard (MADV_GUARD_INSTALL). Since 6.15
)

var pageCategoriesNames = []flagName{
	{uint64(PAGE_IS_WPALLOWED), "PAGE_IS_WPALLOWED"},
	{uint64(PAGE_IS_WRITTEN), "PAGE_IS_WRITTEN"},
	{uint64(PAGE_IS_FILE), "PAGE_IS_FILE"},
	{uint64(PAGE_IS_PRESENT), "PAGE_IS_PRESENT"},
	{uint64(PAGE_IS_SWAPPED), "PAGE_IS_SWAPPED"},
	{uint64(PAGE_IS_PFNZERO), "PAGE_IS_PFNZERO"},
	{uint64(PAGE_IS_HUGE), "PAGE_IS_HUGE"},
	{uint64(PAGE_IS_SOFT_DIRTY), "PAGE_IS_SOFT_DIRTY"},
	{uint64(PAGE_IS_GUARD), "PAGE_IS_GUARD"},
}

// String writes the flags by the names that linux/fs.h gives them.
func (f PageCategories) String() string { return flagNames(uint64(f), pageCategoriesNames) }

// PagemapScanFlags are those of a [PmScanArg].
type PagemapScanFlags uint64

const (
	PM_SCAN_WP_MATCHING   PagemapScanFlags = 1 << 0 // protects the pages that it reports, in the same step. Since 6.7, arm64 6.10
	PM_SCAN_CHECK_WPASYNC PagemapScanFlags = 1 << 1 // EPERM where a page cannot be protected asynchronously, instead of passing it over. Since 6.7, arm64 6.10
)

var pagemapScanFlagsNames = []flagName{
	{uint64(PM_SCAN_WP_MATCHING), "PM_SCAN_WP_MATCHING"},
	{uint64(PM_SCAN_CHECK_WPASYNC), "PM_SCAN_CHECK_WPASYNC"},
}

// String writes the flags by the names that linux/fs.h gives them.
func (f PagemapScanFlags) String() string { return flagNames(uint64(f), pagemapScanFlagsNames) }

// A PageRegion is struct page_region: neighbouring pages of which the same is to be said.
type PageRegion struct {
	_          structs.HostLayout
	Start      uint64         // first address
	End        uint64         // first address behind
	Categories PageCategories // those of ReturnMask
}

// A PmScanArg is struct pm_scan_arg: which pages [PagemapScan] looks for, and what it reports. A page is
// reported that, when the categories of CategoryInverted are turned about, has all of CategoryMask, and one of
// CategoryAnyofMask where that is not 0.
type PmScanArg struct {
	_                 structs.HostLayout
	Size              uint64           // set by PagemapScan
	Flags             PagemapScanFlags // what to do besides
	Start             uint64           // first address, of a page
	End               uint64           // first address behind
	WalkEnd           uint64           // out: where it stopped; End where it saw everything
	Vec               uint64           // set by PagemapScan
	VecLen            uint64           // set by PagemapScan
	MaxPages          uint64           // stops after so many pages were reported; 0 does not
	CategoryInverted  PageCategories   // turned about before they are compared
	CategoryMask      PageCategories   // all of which a page must have
	CategoryAnyofMask PageCategories   // one of which a page must have
	ReturnMask        PageCategories   // what is reported of those that match
}

// pagemapScan is PAGEMAP_SCAN, _IOWR('f', 16, struct pm_scan_arg).
const pagemapScan = 0xc0606610

// PagemapScan looks through a range of the memory of the process whose /proc/pid/pagemap fd is, and reports
// what it finds in regions, of which it returns how many it filled in. arg.WalkEnd is then where to go on: it
// stops where there is no room left. Without room for regions it only protects (PM_SCAN_WP_MATCHING).
//
// Opening pagemap takes the right to ptrace the process; the addresses are virtual, no privilege shows more.
// Errors: EINVAL, an address that is no page's, a flag or category that the kernel does not have; EFAULT, arg
// or regions; EPERM, see PM_SCAN_CHECK_WPASYNC; ENOMEM; ENOTTY, no pagemap, or a kernel without it; ESRCH, the
// process is gone. It takes as long as the range is large, so the scheduler is told. Since 6.7;
// Documentation/admin-guide/mm/pagemap.rst.
func PagemapScan(fd int, arg *PmScanArg, regions []PageRegion) (n int, err error) {
	vec := unsafe.Pointer(unsafe.SliceData(regions))
	arg.Size, arg.Vec, arg.VecLen = uint64(unsafe.Sizeof(*arg)), uint64(uintptr(vec)), uint64(len(regions))
	if len(regions) == 0 {
		arg.Vec = 0
	}
	r, errno := ioctl(fd, pagemapScan, unsafe.Pointer(arg), vec)
	if errno != 0 {
		return 0, callError("ioctl PAGEMAP_SCAN", errno)
	}
	return int(r), nil
}
