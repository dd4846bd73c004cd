//go:build linux && (amd64 || arm64)

package workload

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	Main()
	// The race detector would let each of the many children sleep for 1 s
	// before it exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

const (
	// Noise is how many faults the Go runtime may add to a body on its own
	// thread, or fork to the life of a child: the pages of a stack, of a
	// scheduler's state. The race detector has memory of its own to touch.
	noise = 64 + raceNoise

	// lockWaits is how often a page fault may wait for the lock of the
	// address space, which is a voluntary switch of nobody's making.
	lockWaits = 4 + raceNoise/8
)

// perform runs a workload through its gates to its end.
func perform(t *testing.T, args ...string) *Report {
	t.Helper()
	c := start(t, args...)
	advance(t, c)
	return finish(t, c)
}

func start(t *testing.T, args ...string) *Child {
	t.Helper()
	c, err := Start(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// advance takes a child from the gate before its body to the one after it.
func advance(t *testing.T, c *Child) {
	t.Helper()
	if err := errors.Join(c.Release(), c.Finished()); err != nil {
		_, gone := c.Wait()
		t.Fatal(errors.Join(err, gone))
	}
}

func finish(t *testing.T, c *Child) *Report {
	t.Helper()
	r, err := c.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// between fails the test unless low <= got <= high.
func between(t *testing.T, what string, got, low, high int64) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s = %d; want %d to %d", what, got, low, high)
	}
}

// pagesIn returns how many pages the workloads touch for an argument.
func pagesIn(t *testing.T, size string) int64 {
	t.Helper()
	n, err := parsePages(size)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n / pageSize())
}

func TestOneMinorFaultAPage(t *testing.T) {
	pages := pagesIn(t, "4MiB")
	for _, args := range [][]string{
		{"touch", "4MiB"},
		{"shm", "4MiB"},
		{"shm", "4MiB", "anon"},
		{"populate", "4MiB"},
		{"pvw", "4MiB"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			r := perform(t, args...)
			between(t, "minor faults", r.Thread.MinorFaults, pages, pages+noise)
			between(t, "major faults", r.Thread.MajorFaults, 0, 0)
			if r.Process.MinorFaults < r.Thread.MinorFaults {
				t.Errorf("process %+v counts less than its thread %+v", r.Process, r.Thread)
			}
		})
	}
}

// Which of the two counters grows depends on the kernel.
func TestUserfaultIsOneFaultAPage(t *testing.T) {
	pages := pagesIn(t, "1MiB")
	c := perform(t, "userfault", "1MiB").Phase("read")
	between(t, "faults", c.MinorFaults+c.MajorFaults, pages, pages+noise)
}

func TestReadZeroFaultsOnReadAndOnWrite(t *testing.T) {
	pages := pagesIn(t, "2MiB")
	r := perform(t, "read-zero", "2MiB")
	between(t, "minor faults of read", r.Phase("read").MinorFaults, pages, pages+noise)
	if zeroPageShared(t) {
		between(t, "minor faults of write", r.Phase("write").MinorFaults, pages, pages+noise)
	} else {
		between(t, "minor faults of write", r.Phase("write").MinorFaults, 0, noise)
	}
}

// zeroPageShared reports whether the kernel maps one zero page for all fresh
// pages that are read: pagemap(5) then does not call such a page exclusive.
func zeroPageShared(t *testing.T) bool {
	t.Helper()
	p, err := mapPages(-1, pageSize(), unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	readPages(p, pageSize(), pageSize())
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entry [8]byte // bit 63 present, bit 56 exclusive; little-endian here
	if _, err := f.ReadAt(entry[:], int64(uintptr(p)/pageSize()*8)); err != nil {
		t.Fatal(err)
	}
	if entry[7]&0x80 == 0 {
		t.Fatalf("pagemap entry %x of a page just read: not present", entry)
	}
	return entry[7]&1 == 0
}

func TestForkedChildCopiesEveryPage(t *testing.T) {
	pages := pagesIn(t, "4MiB")
	r := perform(t, "fork-cow", "4MiB")
	between(t, "minor faults before the fork", r.Phase("touch").MinorFaults, pages, pages+noise)
	between(t, "minor faults of the child", r.Children.MinorFaults, pages, pages+noise)
	between(t, "minor faults of the parent from fork to wait", r.Phase("fork").MinorFaults, 0, noise)
}

func TestFileMapCopiesPrivatePagesAndNotifiesShared(t *testing.T) {
	pages := pagesIn(t, "2MiB")
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, path := range []string{"temp", filepath.Join(dir, "a file")} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			r := perform(t, "file-map", path, "2MiB")
			between(t, "minor faults of private write", r.Phase("private write").MinorFaults, pages, pages+noise)
			between(t, "minor faults of private read", r.Phase("private read").MinorFaults, 1, pages+noise)
			between(t, "minor faults of shared read", r.Phase("shared read").MinorFaults, 1, pages+noise)
			low, high := pages, pages+noise
			if onTmpfs(t, dir) { // memory is not told that it was written
				low, high = 0, noise
			}
			between(t, "minor faults of shared write", r.Phase("shared write").MinorFaults, low, high)
			between(t, "major faults", r.Thread.MajorFaults, 0, 0)
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("files left behind: %v, %v", left, err)
			}
		})
	}
}

func onTmpfs(t *testing.T, dir string) bool {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	return fs.Type == unix.TMPFS_MAGIC
}

func TestFileMapKeepsFileThatExists(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	argv := Command("file-map", path, "4096")
	if err := exec.Command(argv[0], argv[1:]...).Run(); err == nil {
		t.Error("file-map took a file that exists")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "text" {
		t.Errorf("file is now %q, %v", text, err)
	}
}

func TestHugePageIsOneFault(t *testing.T) {
	unit, err := hugePageSize()
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this kernel was built without transparent huge pages: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "huge", strconv.Itoa(int(3*unit)), "show")
	advance(t, c)
	smaps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", c.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	r := finish(t, c)
	var got, of int64
	if _, err := fmt.Sscanf(c.Stderr(), "huge pages: %d of %d", &got, &of); err != nil || of != 3 {
		t.Fatalf("workload said %q, %v; want so many of 3 huge pages", c.Stderr(), err)
	}
	base := (of - got) * int64(unit/pageSize()) // what did not become a huge page
	between(t, "minor faults", r.Phase("touch").MinorFaults, got+base, got+base+noise)

	var outside int64 // the kernel's own sum, for the whole process
	for line := range strings.Lines(string(smaps)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "AnonHugePages: %d kB", &kib); n == 1 {
			outside += kib << 10 / int64(unit)
		}
	}
	if outside < got {
		t.Errorf("workload claims %d huge pages, its smaps show %d", got, outside)
	}
}

func TestFailedFaultsAreNotCounted(t *testing.T) {
	r := perform(t, "failed", "1000")
	between(t, "minor faults", r.Thread.MinorFaults, 0, noise)
	between(t, "major faults", r.Thread.MajorFaults, 0, 0)
}

func TestBodyShowsInProcOfAttachedPid(t *testing.T) {
	pages := pagesIn(t, "4MiB")
	c := start(t, "touch", "4MiB")
	before := minorFaultsOf(t, c.Cmd.Process.Pid)
	advance(t, c)
	after := minorFaultsOf(t, c.Cmd.Process.Pid)
	r := finish(t, c)
	// All threads this time, and the way through both gates.
	between(t, "minor faults between the gates", after-before, pages, pages+4*noise)
	between(t, "minor faults of the process's report", r.Process.MinorFaults, pages, after-before)
}

// minorFaultsOf reads the tenth field of /proc/PID/stat.
func minorFaultsOf(t *testing.T, pid int) int64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	n, err := strconv.ParseInt(fields[10-3], 10, 64) // the third comes first here
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReportAgreesWithParentsUsage(t *testing.T) {
	c := start(t, "fork-cow", "1MiB")
	advance(t, c)
	r := finish(t, c)
	u := c.Cmd.ProcessState.SysUsage().(*syscall.Rusage)
	// The parent's count is the whole life, that of waited-for children included.
	reported := r.Total.plus(r.Children)
	parent := Counts{u.Minflt, u.Majflt, u.Nvcsw, u.Nivcsw}
	rest := parent.minus(reported) // writing the report, the gate, the exit
	between(t, "minor faults after the report", rest.MinorFaults, 0, 4*noise)
	if rest.Voluntary < 0 || rest.Involuntary < 0 || rest.MajorFaults < 0 {
		t.Errorf("workload reported %+v, more than its parent saw: %+v", reported, parent)
	}
}
