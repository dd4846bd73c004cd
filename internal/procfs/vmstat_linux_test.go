package procfs

import (
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestParseVMStat(t *testing.T) {
	text := fixture(t, "vmstat")
	got, err := parseVMStat(text)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); len(got) != lines {
		t.Errorf("%d counters of %d lines", len(got), lines)
	}
	for name, want := range map[string]uint64{"nr_free_pages": 1062599, "pgfault": 26381950, "pgmajfault": 5458, "thp_fault_alloc": 2463} {
		if n, ok := got[name]; !ok || n != want {
			t.Errorf("%s = %d, %t; want %d", name, n, ok, want)
		}
	}
	for _, text := range []string{"x", "x ", " 1", "x -1", "x 1 2", "\n"} {
		if got, err := parseVMStat([]byte(text)); err == nil {
			t.Errorf("%q: parsed as %v", text, got)
		}
	}
}

// vmstat reads the counters of the running kernel.
func vmstat(t *testing.T) map[string]uint64 {
	t.Helper()
	counters, err := VMStat()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pgfault", "pgmajfault"} {
		if _, ok := counters[name]; !ok {
			t.Fatalf("no counter %s", name)
		}
	}
	return counters
}

func TestVMStatCountsThisProcessesFaults(t *testing.T) {
	const pages = 256
	var start, end unix.Rusage
	before := vmstat(t)
	rusage(t, unix.RUSAGE_SELF, &start)
	touch(t, pages)
	rusage(t, unix.RUSAGE_SELF, &end)
	after := vmstat(t)
	own := uint64(end.Minflt + end.Majflt - start.Minflt - start.Majflt)
	if grown := after["pgfault"] - before["pgfault"]; own < pages || grown < own {
		t.Errorf("pgfault grew by %d; this process alone had %d, for %d pages", grown, own, pages)
	}
	if after["pgmajfault"] > after["pgfault"] {
		t.Errorf("pgmajfault %d, pgfault %d; want it to be among them", after["pgmajfault"], after["pgfault"])
	}
}

func TestVMStatCountsHugePageFaults(t *testing.T) {
	const dir = "/sys/kernel/mm/transparent_hugepage/"
	mode, err := os.ReadFile(dir + "enabled")
	if err != nil {
		t.Skipf("kernel without transparent huge pages: %v", err)
	}
	if strings.Contains(string(mode), "[never]") {
		t.Skip("transparent huge pages are turned off")
	}
	b, err := os.ReadFile(dir + "hpage_pmd_size")
	if err != nil {
		t.Fatal(err)
	}
	huge, err := parseID(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(-1, 0, 2*huge, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	if err := unix.Madvise(m, unix.MADV_HUGEPAGE); err != nil {
		t.Fatal(err)
	}
	before := vmstat(t)
	start := int(uintptr(unsafe.Pointer(&m[0])) % uintptr(huge))
	m[(huge-start)%huge] = 1 // where the whole huge page in m begins
	after := vmstat(t)
	for _, name := range []string{"thp_fault_alloc", "thp_fault_fallback"} {
		if _, ok := after[name]; !ok {
			t.Errorf("no counter %s", name)
		}
	}
	if after["thp_fault_alloc"]+after["thp_fault_fallback"] == before["thp_fault_alloc"]+before["thp_fault_fallback"] {
		t.Error("a first touch of a huge page was counted neither as served nor as failed")
	}
}

func FuzzParseVMStat(f *testing.F) {
	f.Add([]byte("nr_free_pages 1\npgfault 2\n"))
	f.Add([]byte("pgfault\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseVMStat(b)
		if (err == nil) == (got == nil) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
