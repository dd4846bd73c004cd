package syscalls

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

func openPagemap(t testing.TB) int {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

// whole is what to ask for to learn which pages of m are in a category.
func whole(m []byte, c PageCategories) *PmScanArg {
	return &PmScanArg{Start: uint64(addressOf(m)), End: uint64(addressOf(m)) + uint64(len(m)), CategoryMask: c, ReturnMask: c}
}

func TestPagemapScanSeesWhatPagemapAndMincoreShow(t *testing.T) {
	fd, page := openPagemap(t), os.Getpagesize()
	m := mapTest(t, -1, 0, 16*page)
	unix.Madvise(m, unix.MADV_NOHUGEPAGE)
	for _, i := range []int{1, 2, 5, 15} {
		m[i*page] = 1
	}
	resident := make([]byte, 16)
	if err := Mincore(addressOf(m), uintptr(len(m)), resident); err != nil {
		t.Fatal(err)
	}
	arg := whole(m, PAGE_IS_PRESENT)
	regions := make([]PageRegion, 4)
	n, err := PagemapScan(fd, arg, regions)
	if err != nil {
		featuretest.Skip(t, features.PagemapScan, err)
	}
	if n != 3 || arg.WalkEnd != arg.End {
		t.Fatalf("%d regions up to %#x; want 3 up to %#x", n, arg.WalkEnd, arg.End)
	}
	for i := range 16 {
		at, scanned := uint64(addressOf(m[i*page:])), false
		for _, r := range regions[:n] {
			scanned = scanned || r.Start <= at && at < r.End && r.Categories == PAGE_IS_PRESENT
		}
		if shown := present(t, &m[i*page]); scanned != shown || shown != (resident[i]&1 == 1) {
			t.Errorf("page %d: scanned %v, in pagemap %v, in mincore %d", i, scanned, shown, resident[i])
		}
	}

	n, err = PagemapScan(fd, arg, regions[:1]) // goes on where there was no room
	if n != 1 || err != nil || regions[0].End > arg.WalkEnd || arg.WalkEnd >= arg.End {
		t.Errorf("%d regions up to %#x, %v", n, arg.WalkEnd, err)
	}

	unaligned, unknown := whole(m, PAGE_IS_PRESENT), whole(m, 1<<40)
	unaligned.Start++
	for name, tt := range map[string]struct{ got, want error }{
		"part of a page":   {second(PagemapScan(fd, unaligned, regions)), unix.EINVAL},
		"unknown category": {second(PagemapScan(fd, unknown, regions)), unix.EINVAL},
		"no pagemap":       {second(PagemapScan(-1, arg, regions)), unix.EBADF},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

func TestPagemapScanSeesWhatWasWritten(t *testing.T) {
	uffd := openUffd(t, UFFD_FEATURE_WP_ASYNC|UFFD_FEATURE_WP_UNPOPULATED, features.UserfaultAsync)
	fd, page := openPagemap(t), os.Getpagesize()
	m := mapTest(t, -1, 0, 4*page)
	registered(t, uffd, m, UFFDIO_REGISTER_MODE_WP, UFFD_IOCTL_WRITEPROTECT)
	protect := whole(m, 0)
	protect.Flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC
	if _, err := PagemapScan(fd, protect, nil); err != nil {
		t.Fatal(err)
	}
	m[2*page] = 1
	regions := make([]PageRegion, 4)
	n, err := PagemapScan(fd, whole(m, PAGE_IS_WRITTEN), regions)
	if err != nil || n != 1 || regions[0].Start != uint64(addressOf(m[2*page:])) || regions[0].End-regions[0].Start != uint64(page) {
		t.Errorf("written: %d regions, %+v, %v; want the page at %#x", n, regions[0], err, addressOf(m[2*page:]))
	}
	other := whole(mapTest(t, -1, 0, page), 0)
	other.Flags = protect.Flags
	if _, err := PagemapScan(fd, other, nil); !errors.Is(err, unix.EPERM) {
		t.Errorf("memory that cannot be protected: %v", err)
	}
}

func TestPagemapScanLayouts(t *testing.T) {
	t.Run("pm_scan_arg", func(t *testing.T) { checkLayout(t, PmScanArg{}, "pm_scan_arg?", nil) })
	t.Run("page_region", func(t *testing.T) { checkLayout(t, PageRegion{}, "page_region?", nil) })
}

func TestMincore(t *testing.T) {
	page := os.Getpagesize()
	m := mapTest(t, -1, 0, 3*page)
	m[page] = 1
	vec := []byte{0xff, 0xff, 0xff}
	if err := Mincore(addressOf(m), uintptr(2*page+1), vec); err != nil {
		t.Fatal(err)
	}
	for i := range vec {
		if shown := present(t, &m[i*page]); shown != (vec[i]&1 == 1) || shown != (i == 1) {
			t.Errorf("page %d: in pagemap %v, in mincore %#x", i, shown, vec[i])
		}
	}
	for name, tt := range map[string]struct{ got, want error }{
		"part of a page": {Mincore(addressOf(m)+1, 1, vec), unix.EINVAL},
		"no room":        {Mincore(addressOf(m), uintptr(2*page+1), vec[:2]), unix.EINVAL},
		"all addresses":  {Mincore(addressOf(m), ^uintptr(0), vec), unix.EINVAL},
		"a hole":         {Mincore(0x1000, 1, vec), unix.ENOMEM},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}
