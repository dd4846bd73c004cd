package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ring3-go/ring3/mmu"
	"github.com/ring3-go/ring3/syscalls"
)

// field is a mapping of this process of 64 pages that bears a name, of which the first 16 are touched.
func field(t *testing.T, name string) *mmu.Mapping {
	t.Helper()
	page := os.Getpagesize()
	m, err := mmu.NewMemfd(name, 64*page, mmu.MapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if _, err := (mmu.Guarded{}).Zero(m.Addr(), 16*page); err != nil {
		t.Fatal(err)
	}
	return m
}

// vmRecords are those of a run that has to succeed.
func vmRecords[T any](t *testing.T, args ...string) (records []T) {
	t.Helper()
	out := finish(t, asProcess(t, append([]string{"vm", "--json"}, args...)...))
	if out.code != 0 {
		t.Fatalf("%q: exit code %d, %s%s", args, out.code, out.stdout, out.stderr)
	}
	wantHarmless(t, out.stdout)
	for line := range strings.Lines(out.stdout) {
		validateRecord(t, []byte(line))
		var r T
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

// TestRegionIsAsTheKernelSays compares with mincore, and with what was asked of the kernel.
func TestRegionIsAsTheKernelSays(t *testing.T) {
	page := os.Getpagesize()
	m := field(t, "a\x1b[31mb")
	in := make([]byte, 64)
	if err := syscalls.Mincore(m.Addr(), uintptr(m.Len()), in); err != nil {
		t.Fatal(err)
	}
	resident := 0
	for _, b := range in {
		resident += int(b & 1)
	}
	var found *vmaRecord
	var end uint64
	for _, r := range vmRecords[vmaRecord](t, itoa(os.Getpid())) {
		start, _ := strconv.ParseUint(r.Start, 0, 64)
		if start < end || start == 0 {
			t.Errorf("%s begins before the one before it ends", r.Start)
		}
		end, _ = strconv.ParseUint(r.End, 0, 64)
		if end-start != r.SizeBytes || r.SharedBytes+r.PrivateBytes != r.ResidentBytes || r.ResidentBytes > r.SizeBytes {
			t.Errorf("%+v", r)
		}
		if start == uint64(m.Addr()) {
			found = &r
		}
	}
	if found == nil {
		t.Fatalf("no region at %#x", m.Addr())
	}
	want := uint64(resident * page)
	if found.ResidentBytes != want || found.DirtyBytes != want || found.SizeBytes != uint64(m.Len()) || found.Kind != "shmem" ||
		found.Perms != "rw-s" || found.Name != `/memfd:a\x1b[31mb (deleted)` {
		t.Errorf("%+v; want %d resident", found, want)
	}
}

// TestPageIsFollowedToItsFrame maps the same page twice, and looks at pages that are not there.
func TestPageIsFollowedToItsFrame(t *testing.T) {
	pid, page := itoa(os.Getpid()), uintptr(os.Getpagesize())
	m := field(t, "page")
	twin, err := mmu.MapFile(m.File(), 0, m.Len(), mmu.MapOptions{Perms: mmu.Readable | mmu.Shared, Populate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer twin.Close()
	get := func(addr uintptr) pageRecord {
		t.Helper()
		r := vmRecords[pageRecord](t, pid, fmt.Sprintf("%x", addr))
		if len(r) != 1 {
			t.Fatalf("%d records", len(r))
		}
		back := r[0].OffsetBytes
		for _, l := range r[0].Levels {
			back += uint64(l.Index) * l.CoversBytes
		}
		if r[0].Canonical && back<<16>>16 != uint64(addr)<<16>>16 {
			t.Errorf("%#x: indices are those of %#x", addr, back)
		}
		return r[0]
	}
	one, two := get(m.Addr()+3*page+5), get(twin.Addr()+3*page+5)
	if one.State != "present" || !one.File || one.Exclusive || one.OffsetBytes != 5 || one.Region == nil || one.Region.Kind != "shmem" || *one.Frame != *two.Frame {
		t.Errorf("%+v\nand %+v", one, two)
	}
	if *one.Frame == "hidden" {
		if one.Physical != nil || one.FrameFlags != nil {
			t.Errorf("%+v", one)
		}
	} else if one.MapCount != nil && *one.MapCount != 2 {
		t.Errorf("mapped %d times; want 2", *one.MapCount)
	}
	for addr, want := range map[uintptr]string{
		m.Addr() + 40*page: "empty", 8: "unmapped", 0x00f2_8cb7_1571_c7a0: "unmapped", 0xffff_8000_0000_0000: "unmapped",
	} {
		if want == "empty" {
			m.Advise(int64(40*page), int(page), mmu.AdviseDontNeed)
		}
		if r := get(addr); r.State != want || r.Frame != nil || (want == "unmapped") != (r.Region == nil) {
			t.Errorf("%#x: %+v; want %s", addr, r, want)
		}
	}
}

func TestTextOfAddressSpacesIsCalm(t *testing.T) {
	for _, name := range namesToTake() {
		m := field(t, strings.ReplaceAll(name, "\x00", ""))
		for _, args := range [][]string{{}, {"--sort", "address", "--top", "0"}, {"--sort", "size", "--top", "1"}, {"--sort", "dirty"}, {"--sort", "swapped"}, {fmt.Sprintf("%#x", m.Addr())}, {"1000"}, {"f28cb71571c7a0"}} {
			out := finish(t, asProcess(t, append([]string{"vm", "--color=never", itoa(os.Getpid())}, args...)...))
			if out.code != 0 || out.stdout == "" {
				t.Fatalf("%q: exit code %d, %s", args, out.code, out.stderr)
			}
			wantHarmless(t, out.stdout+out.stderr)
			wantNarrow(t, out.stdout)
		}
	}
}

func TestVMSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
	}{
		{nil, exitUsage}, {[]string{"x"}, exitUsage}, {[]string{"0"}, exitUsage}, {[]string{"-1"}, exitUsage}, {[]string{"1", "xyz"}, exitUsage},
		{[]string{"1", "1", "1"}, exitUsage}, {[]string{"1", "11111111111111111"}, exitUsage}, {[]string{"1", "--sort", "x"}, exitUsage},
		{[]string{"1", "--top", "-1"}, exitUsage}, {[]string{"1", "--watch=x"}, exitUsage}, {[]string{"1", "--watch=0"}, exitUsage}, {[]string{"1", "--watch", "5"}, exitUsage},
		{[]string{"1", "--duration", "1"}, exitUsage}, {[]string{deadProcess(t)}, exitError}, {[]string{deadProcess(t), "--watch"}, exitError},
		{[]string{deadProcess(t), "1000"}, exitError},
	} {
		out := finish(t, asProcess(t, append([]string{"vm", "--json"}, c.args...)...))
		if out.code != c.code {
			t.Errorf("%q: exit code %d, want %d; %s%s", c.args, out.code, c.code, out.stdout, out.stderr)
		}
		wantRecords(t, out.stdout, "ring3/error/v1")
	}
}

// TestVMWithoutPrivilege has nobody look at a process of his own, and at one that is not.
func TestVMWithoutPrivilege(t *testing.T) {
	attr, program := unprivileged(t)
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.SysProcAttr = attr
		return cmd
	}
	own := run(asCommand, "cat")
	in, err := own.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	talk, err := own.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	defer own.Wait()
	defer in.Close()
	if _, err := talk.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	pid := itoa(own.Process.Pid)
	out := finish(t, run(asProbe, "vm", "--json", pid))
	if out.code != 0 {
		t.Fatalf("exit code %d, %s", out.code, out.stdout)
	}
	var whole string // a region that is there entirely
	for line := range strings.Lines(out.stdout) {
		var r vmaRecord
		validateRecord(t, []byte(line))
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.ResidentBytes == r.SizeBytes && r.Kind != "kernel" {
			whole = r.Start
		}
	}
	out = finish(t, run(asProbe, "vm", "--json", pid, whole))
	var r pageRecord
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, out.stdout)
	}
	validateRecord(t, []byte(out.stdout))
	if r.State != "present" || r.Frame == nil || *r.Frame != "hidden" || r.Physical != nil {
		t.Errorf("%+v; want a hidden frame", r)
	}
	if attr.Credential == nil {
		return // an ordinary user: others are the same to him
	}
	out = finish(t, run(asProbe, "vm", "--json", itoa(os.Getpid())))
	if out.code != exitNotPermitted {
		t.Errorf("root's process: exit code %d, %s", out.code, out.stdout)
	}
}

// TestWatchTellsOfChanges has it watch this process, which maps, touches and unmaps memory.
func TestWatchTellsOfChanges(t *testing.T) {
	page := os.Getpagesize()
	m := field(t, "watched")
	cmd := asProcess(t, "vm", "--json", "--watch=20ms", itoa(os.Getpid()))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	// next skips to the next record of the mapping with this change.
	addr, seen := fmt.Sprintf("%#x", m.Addr()), []string{}
	next := func(change string) (r vmaRecord) {
		t.Helper()
		for lines.Scan() {
			r = vmaRecord{}
			validateRecord(t, lines.Bytes())
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if r.Start == addr {
				if seen = append(seen, r.Change); r.Change == change {
					return r
				}
			}
		}
		t.Fatalf("ended before it told that %s was %s; %q", addr, change, seen)
		return r
	}
	next("")
	if _, err := (mmu.Guarded{}).Zero(m.Addr(), 32*page); err != nil {
		t.Fatal(err)
	}
	if r := next("changed"); r.ResidentBytes != uint64(32*page) {
		t.Errorf("%+v; want %d resident", r, 32*page)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	next("removed")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
}

// TestWatchEndsWithTheProcess watches one that is killed.
func TestWatchEndsWithTheProcess(t *testing.T) {
	victim := exec.Command(executable(), asCommand, "cat")
	in, err := victim.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	cmd := asProcess(t, "vm", "--watch=20ms", itoa(victim.Process.Pid))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatal("no output")
	}
	victim.Process.Kill()
	victim.Wait()
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v", err)
	}
}

func TestCompareRegions(t *testing.T) {
	v := func(start, end uintptr, name string, rss uint64) mmu.VMA {
		return mmu.VMA{Start: start, End: end, Path: name, Detail: &mmu.Detail{Rss: rss}}
	}
	before := []mmu.VMA{v(1, 2, "gone", 0), v(3, 4, "same", 1), v(5, 6, "grows", 1), v(7, 8, "old", 1)}
	after := []mmu.VMA{v(2, 3, "new", 0), v(3, 4, "same", 1), v(5, 7, "grows", 2), v(7, 8, "other", 1), v(9, 10, "last", 0)}
	var got []string
	for _, c := range compareVMAs(before, after) {
		got = append(got, c.change+" "+c.vma.Path)
	}
	want := []string{"removed gone", "added new", "changed grows", "removed old", "added other", "added last"}
	if !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	if text := changedText(&before[2], &after[2]); text != "size 2B (+1B), resident 2B (+1B)" {
		t.Error(text)
	}
}

func TestPicture(t *testing.T) {
	for want, d := range map[string]mmu.Detail{
		"............": {},
		"############": {PrivateClean: 120},
		"######......": {PrivateDirty: 60},
		"#==.........": {PrivateDirty: 1, SharedClean: 20},
		"######~~~~~~": {PrivateDirty: 60, Swap: 60},
		"===========~": {SharedDirty: 110, Swap: 1},
	} {
		v := mmu.VMA{Start: 0, End: 120, Detail: &d}
		if got := picture(&v); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
