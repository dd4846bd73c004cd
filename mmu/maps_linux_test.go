package mmu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// line is v as the kernel prints it (show_vma_header_prefix in fs/proc/task_mmu.c).
func (v *VMA) line() string {
	s := fmt.Sprintf("%08x-%08x %v %08x %02x:%02x %d ", v.Start, v.End, v.Perms, v.Offset, v.Major, v.Minor, v.Inode)
	if v.Path == "" {
		return s
	}
	return fmt.Sprintf("%-73s", s) + v.Path
}

// TestEveryLineOfEveryProcess compares with the file as it is printed.
func TestEveryLineOfEveryProcess(t *testing.T) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	lines, processes, changed := 0, 0, 0
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		before, err := os.ReadFile(dir + "/maps")
		if err != nil || len(before) == 0 {
			continue // not ours, or none
		}
		vmas, err := Maps(pid)
		after, _ := os.ReadFile(dir + "/maps")
		if string(before) != string(after) || err != nil {
			changed++
			if err != nil && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrEnded) && !errors.Is(err, ErrNoAddressSpace) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
				t.Errorf("%d: %v", pid, err)
			}
			continue
		}
		var got strings.Builder
		for i := range vmas {
			got.WriteString(vmas[i].line() + "\n")
			if vmas[i].Detail == nil || vmas[i].Detail.Size != vmas[i].Size() {
				t.Errorf("%d: %s: %+v", pid, vmas[i].line(), vmas[i].Detail)
			}
		}
		if got.String() != string(before) {
			t.Errorf("%d: got\n%s\nwant\n%s", pid, &got, before)
		}
		lines += len(vmas)
		processes++
	}
	t.Logf("%d lines of %d processes; %d changed meanwhile", lines, processes, changed)
	if processes == 0 {
		t.Error("no process")
	}
}

// quiet is a process that does nothing any more, until the test ends.
func quiet(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], asWaiting)
	cmd.Env = append(os.Environ(), "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil { // it is past its beginning
		t.Fatal(err)
	}
	return cmd
}

// TestDetailsAddUpToRollup compares with the kernel's own sum. It adds shares of pages up before it cuts them to
// KiB, and what other processes share may change.
func TestDetailsAddUpToRollup(t *testing.T) {
	pid := quiet(t).Process.Pid
	var vmas []VMA
	var before, after Detail
	for { // its runtime may still be about something
		var errs [3]error
		before, errs[0] = Rollup(pid)
		vmas, errs[1] = Maps(pid)
		after, errs[2] = Rollup(pid)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		if before.Rss == after.Rss && before.PrivateDirty == after.PrivateDirty && before.Anonymous == after.Anonymous {
			break
		}
	}
	var sum Detail
	for i := range vmas {
		sum.Add(vmas[i].Detail)
	}
	if sum.Rss != after.Rss || sum.Anonymous != after.Anonymous || sum.PrivateDirty != after.PrivateDirty || sum.Rss == 0 ||
		sum.Shared()+sum.Private() != after.Rss || sum.Swap != after.Swap || sum.Locked != after.Locked {
		t.Errorf("sum %+v\nrollup %+v", sum, after)
	}
	low, high := min(before.Pss, after.Pss), max(before.Pss, after.Pss)
	if sum.Pss > high+uint64(len(vmas))<<10 || sum.Pss+uint64(len(vmas))<<10 < low {
		t.Errorf("Pss: sum %d, rollup %d to %d", sum.Pss, low, high)
	}
}

func TestFixturesOfOtherKernels(t *testing.T) {
	files, err := filepath.Glob("testdata/smaps_a*")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		vmas, err := parseVMAs(strings.NewReader(string(text)))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		i, locked := 0, false
		kinds := map[Kind]int{}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSuffix(line, "\n"); strings.Contains(strings.Fields(line)[0], "-") {
				if got := vmas[i].line(); got != line {
					t.Errorf("%s: %q; want %q", file, got, line)
				}
				kinds[vmas[i].Kind()]++
				locked = locked || vmas[i].Detail.Locked == 16<<10 && slices.Contains(vmas[i].Detail.Flags, "lo")
				for _, flag := range vmas[i].Detail.Flags {
					if FlagMeaning(flag) == "" {
						t.Errorf("%s: flag %q has no meaning", file, flag)
					}
				}
				i++
			}
		}
		if i != len(vmas) || !locked {
			t.Errorf("%s: %d mappings of %d, locked %v", file, len(vmas), i, locked)
		}
		huge := map[string]Huge{}
		for i := range vmas {
			if h := vmas[i].Huge(); h.Kind != "" {
				huge[h.Kind] = h
			}
		}
		if huge["hugetlb"].PageSize != 2<<20 || huge["hugetlb"].Bytes != 2<<20 {
			t.Errorf("%s: hugetlb %+v", file, huge)
		}
		for _, want := range []Kind{KindFile, KindAnonymous, KindStack, KindKernel, KindSharedMem, KindHugetlb} {
			if kinds[want] == 0 {
				t.Errorf("%s: no %s in %v", file, want, kinds)
			}
		}
		rollup, err := os.Open(strings.Replace(file, "smaps_", "smaps_rollup_", 1))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := parseVMAs(rollup)
		rollup.Close()
		if err != nil || len(sum) != 1 || sum[0].Path != "[rollup]" || sum[0].Detail.Rss == 0 || sum[0].Detail.PssAnon == 0 || sum[0].Detail.SharedHugetlb+sum[0].Detail.PrivateHugetlb != 2<<20 {
			t.Errorf("%s: %+v, %v", rollup.Name(), sum, err)
		}
	}
}

func TestBadLinesAreRefused(t *testing.T) {
	const good = "00400000-00401000 r--p 00000000 00:00 0 \n"
	for _, bad := range []string{
		"x", "00400000 r--p 00000000 00:00 0", "00400000-00401000 r--q 00000000 00:00 0 ", "00400000-00401000 r--p 0 0 0 ",
		"00401000-00400000 r--p 00000000 00:00 0 ", "Rss: 4 MB", "Rss: x kB", "Rss: 99999999999999999999 kB", "ProtectionKey: x",
		strings.Repeat("x", lineMax+1),
	} {
		vmas, err := parseVMAs(strings.NewReader(good + good + bad + "\n"))
		if err == nil || len(vmas) == 0 {
			t.Errorf("%.40q: %d mappings, %v; want those before it and an error", bad, len(vmas), err)
		}
	}
	if _, err := parseVMAs(strings.NewReader("Rss: 4 kB\n")); err == nil {
		t.Error("no error for a detail of nothing")
	}
}

func FuzzParseVMAs(f *testing.F) {
	files, _ := filepath.Glob("testdata/smaps*")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text[:min(len(text), 2000)]))
	}
	f.Add("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n")
	f.Fuzz(func(t *testing.T, text string) {
		vmas, err := parseVMAs(strings.NewReader(text))
		for i := range vmas {
			v := &vmas[i]
			v.Kind()
			v.Huge()
			again, againErr := parseVMA(v.line())
			if again.Detail = v.Detail; againErr != nil || again != *v {
				t.Fatalf("%q parsed again is %+v, %v; was %+v", v.line(), again, againErr, *v)
			}
		}
		if err == nil && len(vmas) == 0 && strings.TrimSpace(text) != "" {
			t.Fatalf("%q: nothing, and no error", text)
		}
	})
}

// TestProcessThatEndsWhileItIsRead kills one under the reader, again and again.
func TestProcessThatEndsWhileItIsRead(t *testing.T) {
	outcomes := map[string]int{}
	for range 30 {
		cmd := quiet(t)
		killed := make(chan error, 1)
		go func() { cmd.Process.Kill(); killed <- cmd.Wait() }()
		for range 200 {
			vmas, err := Maps(cmd.Process.Pid)
			switch {
			case err == nil && len(vmas) == 0:
				t.Error("nothing, and no error")
			case err == nil:
				outcomes["whole"]++
			case errors.Is(err, ErrEnded), errors.Is(err, ErrChanged):
				outcomes["partial"]++
			case errors.Is(err, ErrNoAddressSpace), errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
				outcomes["gone"]++
			default:
				t.Errorf("%v", err)
			}
			if errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
		<-killed
	}
	t.Log(outcomes)
}

// TestNoAddressSpace asks for processes that have none.
func TestNoAddressSpace(t *testing.T) {
	for _, pid := range []int{2, 1 << 30} { // a kernel thread, as a rule; nobody
		if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); pid == 2 && string(comm) != "kthreadd\n" {
			continue
		}
		vmas, err := Maps(pid)
		if len(vmas) != 0 || err == nil {
			t.Errorf("%d: %d mappings, %v", pid, len(vmas), err)
		}
		t.Logf("%d: %v", pid, err)
	}
}

// TestNoAddressSpaceOfAProcessThatEnded asks for one that is not reaped yet, in each way, and measures it while
// it ends.
func TestNoAddressSpaceOfAProcessThatEnded(t *testing.T) {
	child := quiet(t).Process.Pid
	ctx, cancel := context.WithCancel(t.Context())
	measured := make(chan error)
	go func() {
		_, err := MeasureWorkingSet(ctx, child, time.Hour)
		measured <- err
	}()
	for { // until the marks are cleared
		d, err := Rollup(child)
		if err != nil {
			t.Fatal(err)
		}
		if d.Referenced < d.Rss/2 {
			break
		}
	}
	unix.Kill(child, unix.SIGKILL)
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, child, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-measured; !errors.Is(err, ErrEnded) || !errors.Is(err, context.Canceled) {
		t.Errorf("measured: %v", err)
	}
	_, mapsErr := Maps(child)
	_, rollupErr := Rollup(child)
	_, translateErr := Translate(child, 0)
	for i, err := range []error{mapsErr, rollupErr, translateErr} {
		refused := i == 2 && os.Geteuid() != 0 && errors.Is(err, os.ErrPermission) // of what has ended root alone may ask
		// Older kernels open the file of one that is ending, and then find nothing.
		if !errors.Is(err, ErrNoAddressSpace) && !errors.Is(err, ErrEnded) && !refused {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestChangesWhileReading has a thread that maps and unmaps all the time.
func TestChangesWhileReading(t *testing.T) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				if b, err := unix.Mmap(-1, 0, pageSize, unix.PROT_NONE, unix.MAP_SHARED|unix.MAP_ANON); err == nil {
					unix.Munmap(b)
				}
			}
		}
	}()
	changed := 0
	for range 20 {
		vmas, err := Maps(0)
		if len(vmas) == 0 || err != nil && !errors.Is(err, ErrChanged) {
			t.Errorf("%d mappings, %v", len(vmas), err)
		}
		if err != nil {
			changed++
		}
	}
	close(stop)
	<-done
	t.Logf("%d of 20 readings changed three times in a row", changed)
}

func TestFind(t *testing.T) {
	vmas := []VMA{{Start: 10, End: 20}, {Start: 20, End: 30}, {Start: 50, End: 60}}
	for addr, want := range map[uintptr]int{0: -1, 9: -1, 10: 0, 19: 0, 20: 1, 29: 1, 30: -1, 49: -1, 50: 2, 59: 2, 60: -1} {
		got := Find(vmas, addr)
		if want < 0 && got != nil || want >= 0 && got != &vmas[want] {
			t.Errorf("%d: %v; want %d", addr, got, want)
		}
	}
}
