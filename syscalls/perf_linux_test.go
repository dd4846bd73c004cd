package syscalls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// openPerf opens an event of the calling thread, in user mode alone, which everybody may, or skips.
func openPerf(t testing.TB, attr unix.PerfEventAttr, group int) int {
	t.Helper()
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err := unix.PerfEventOpen(&attr, 0, -1, group, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		featuretest.Skip(t, features.SoftwareFaults, os.NewSyscallError("perf_event_open", err))
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// faultEvent counts the thread's page faults. It begins disabled.
func faultEvent(period uint64) unix.PerfEventAttr {
	return unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_PAGE_FAULTS, Sample: period,
		Bits: unix.PerfBitDisabled | unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
	}
}

// counted reads an event's count through a descriptor of its own.
func counted(t testing.TB, fd int) uint64 {
	t.Helper()
	other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	var b [8]byte
	if n, err := unix.Read(other, b[:]); n != len(b) || err != nil {
		t.Fatalf("read the count: %d, %v", n, err)
	}
	return binary.NativeEndian.Uint64(b[:])
}

// touchPages causes n faults, one a page.
func touchPages(t testing.TB, n int) {
	t.Helper()
	page := os.Getpagesize()
	m := mapTest(t, -1, 0, n*page)
	unix.Madvise(m, unix.MADV_NOHUGEPAGE)
	for i := range n {
		m[i*page] = 1
	}
}

func lockThread(t testing.TB) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPerfEventCountsWhileEnabled(t *testing.T) {
	lockThread(t)
	leader := openPerf(t, faultEvent(0), -1)
	member := faultEvent(0)
	member.Bits &^= unix.PerfBitDisabled // members follow their leader
	second := openPerf(t, member, leader)
	for _, flags := range []PerfIoctlFlags{0, PERF_IOC_FLAG_GROUP} {
		before := counted(t, leader)
		touchPages(t, 10)
		if now := counted(t, leader); now != before {
			t.Errorf("disabled (%v), it counted %d", flags, now-before)
		}
		check(t, PerfEventEnable(leader, flags))
		touchPages(t, 10)
		check(t, PerfEventDisable(leader, flags))
		if now := counted(t, leader); now < before+10 || counted(t, second) < 10 {
			t.Errorf("enabled (%v), it counted %d, and the second %d; want 10 at least", flags, now-before, counted(t, second))
		}
	}
	check(t, PerfEventReset(leader, 0))
	if counted(t, leader) != 0 || counted(t, second) == 0 {
		t.Errorf("after a reset of the first alone: %d and %d", counted(t, leader), counted(t, second))
	}
	check(t, PerfEventReset(leader, PERF_IOC_FLAG_GROUP))
	if counted(t, second) != 0 {
		t.Errorf("after a reset of the group: %d", counted(t, second))
	}
}

func TestPerfEventIDIsTheOneThatReadsName(t *testing.T) {
	lockThread(t)
	attr := faultEvent(0)
	attr.Read_format = unix.PERF_FORMAT_ID
	fd := openPerf(t, attr, -1)
	id, err := PerfEventID(fd)
	if err != nil {
		t.Fatal(err)
	}
	var b [16]byte
	if n, err := unix.Read(fd, b[:]); n != len(b) || err != nil || binary.NativeEndian.Uint64(b[8:]) != id {
		t.Errorf("read %d bytes, %v: id %d; want %d", n, err, binary.NativeEndian.Uint64(b[8:]), id)
	}
}

// perfRing maps an event's ring, and returns how many bytes of records came into it.
func perfRing(t testing.TB, fd int) func() uint64 {
	t.Helper()
	m, err := unix.Mmap(fd, 0, 9*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(os.NewSyscallError("mmap", err))
	}
	t.Cleanup(func() { unix.Munmap(m) })
	page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&m[0]))
	return func() uint64 { return atomic.LoadUint64(&page.Data_head) }
}

func TestPerfEventRingTakesWhatItIsToldTo(t *testing.T) {
	lockThread(t)
	const never = 1 << 40
	fd := openPerf(t, faultEvent(never), -1)
	records := perfRing(t, fd)
	check(t, PerfEventEnable(fd, 0))
	touchPages(t, 10)
	if records() != 0 {
		t.Fatalf("a sample of %d faults: %d bytes", never, records())
	}
	check(t, PerfEventPeriod(fd, 1))
	touchPages(t, 10)
	seen := records()
	if seen < 10*8 {
		t.Errorf("a sample of each fault: %d bytes", seen)
	}

	check(t, PerfEventPauseOutput(fd, true))
	seen = records()
	touchPages(t, 10)
	if now := records(); now != seen {
		t.Errorf("paused: %d bytes", now-seen)
	}
	check(t, PerfEventPauseOutput(fd, false))
	touchPages(t, 10)
	if now := records(); now < seen+10*8 {
		t.Errorf("no longer paused: %d bytes", now-seen)
	}
	check(t, PerfEventDisable(fd, 0))

	seen = records()
	other := openPerf(t, faultEvent(1), -1)
	check(t, PerfEventSetOutput(other, fd))
	check(t, PerfEventEnable(other, 0))
	touchPages(t, 10)
	check(t, PerfEventDisable(other, 0))
	if now := records(); now < seen+10*8 {
		t.Errorf("of another event: %d bytes", now-seen)
	}
	check(t, PerfEventSetOutput(other, -1))
	seen = records()
	check(t, PerfEventEnable(other, 0))
	touchPages(t, 10)
	if now := records(); now != seen {
		t.Errorf("of another event no longer: %d bytes", now-seen)
	}
}

func TestPerfEventRefreshEndsByItself(t *testing.T) {
	lockThread(t)
	fd := openPerf(t, faultEvent(1), -1)
	perfRing(t, fd)
	check(t, PerfEventRefresh(fd, 3))
	touchPages(t, 10)
	if got := counted(t, fd); got != 3 {
		t.Errorf("counted %d; want 3", got)
	}
}

func TestPerfEventModifyAttributesMovesABreakpoint(t *testing.T) {
	lockThread(t)
	words := new([4]uint64)
	breakpoint := func(word *uint64) unix.PerfEventAttr {
		return unix.PerfEventAttr{
			Type: unix.PERF_TYPE_BREAKPOINT, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Bp_type: 2, // HW_BREAKPOINT_W
			Ext1: uint64(uintptr(unsafe.Pointer(word))), Ext2: 8,
			Bits: unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
		}
	}
	fd := openPerf(t, breakpoint(&words[0]), -1)
	atomic.StoreUint64(&words[2], 1)
	if got := counted(t, fd); got != 0 {
		t.Fatalf("a write elsewhere counted %d", got)
	}
	moved := breakpoint(&words[2])
	check(t, PerfEventModifyAttributes(fd, &moved))
	atomic.StoreUint64(&words[0], 1)
	if got := counted(t, fd); got != 0 {
		t.Errorf("after it moved, a write to where it was counted %d", got)
	}
	atomic.StoreUint64(&words[2], 2)
	// arm64 reports a write before it is done, and again where a signal comes between.
	if got := counted(t, fd); got < 1 || got > 1 && runtime.GOARCH == "amd64" {
		t.Errorf("after it moved, a write to its word counted %d", got)
	}
	wrong := breakpoint(&words[2])
	wrong.Type = unix.PERF_TYPE_SOFTWARE
	if err := PerfEventModifyAttributes(fd, &wrong); !errors.Is(err, unix.EINVAL) {
		t.Errorf("another type: %v", err)
	}
	runtime.KeepAlive(words)
}

// tracepoint returns the number of a tracepoint, from a tracefs that is mounted for as long as that takes, or
// skips.
func tracepoint(t testing.TB, name string) uint64 {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tracefs", dir, "tracefs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		featuretest.Skip(t, features.PerfLink, os.NewSyscallError("mount", err))
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	text, err := os.ReadFile(filepath.Join(dir, "events", name, "id"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// passingProgram loads a program that lets every event through, and returns its descriptor and number.
func passingProgram(t testing.TB) (fd int, id uint32) {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "all", Type: ebpf.TracePoint, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()},
	})
	if err != nil {
		featuretest.Skip(t, features.PerfLink, err)
	}
	t.Cleanup(func() { program.Close() })
	info, err := program.Info()
	if err != nil {
		t.Fatal(err)
	}
	number, _ := info.ID()
	return program.FD(), uint32(number)
}

// TestPerfEventFilterAndProgramOfATracepoint counts one signal among those that this thread sends.
func TestPerfEventFilterAndProgramOfATracepoint(t *testing.T) {
	id := tracepoint(t, "signal/signal_generate")
	lockThread(t)
	fd := openPerf(t, unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Bits: unix.PerfBitDisabled}, -1)
	check(t, PerfEventSetFilter(fd, fmt.Sprintf("sig == %d", unix.SIGWINCH)))

	program, want := passingProgram(t)
	if n, err := PerfEventQueryBPF(fd, make([]uint32, 4)); n != 0 || err != nil {
		t.Errorf("%d programs yet, %v", n, err)
	}
	check(t, PerfEventSetBPF(fd, program))
	ids := make([]uint32, 4)
	if n, err := PerfEventQueryBPF(fd, ids); n != 1 || err != nil || ids[0] != want {
		t.Errorf("%d programs, %v: %v; want %d", n, err, ids, want)
	}
	if n, err := PerfEventQueryBPF(fd, nil); n != 1 || err != nil {
		t.Errorf("no room at all: %d, %v", n, err)
	}
	other := openPerf(t, unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Bits: unix.PerfBitDisabled}, -1)
	second, _ := passingProgram(t)
	check(t, PerfEventSetBPF(other, second))
	if n, err := PerfEventQueryBPF(fd, ids[:1]); n != 2 || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("two programs, room for one: %d, %v", n, err)
	}

	check(t, PerfEventEnable(fd, 0))
	for range 7 {
		for _, harmless := range []unix.Signal{unix.SIGWINCH, unix.SIGCHLD} {
			check(t, unix.Tgkill(os.Getpid(), unix.Gettid(), harmless))
		}
	}
	check(t, PerfEventDisable(fd, 0))
	if got := counted(t, fd); got != 7 {
		t.Errorf("counted %d signals; want 7", got)
	}
	if err := PerfEventSetFilter(fd, "sig == 1"); !errors.Is(err, unix.EEXIST) {
		t.Errorf("another filter: %v", err)
	}
	if err := PerfEventSetFilter(other, "no such field == 1"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a filter without sense: %v", err)
	}
}

func TestPerfEventRequestsAreRefused(t *testing.T) {
	lockThread(t)
	counting := openPerf(t, faultEvent(0), -1)
	zero := unix.PerfEventAttr{}
	for name, tt := range map[string]struct{ got, want error }{
		"enable nothing":            {PerfEventEnable(-1, 0), unix.EBADF},
		"disable nothing":           {PerfEventDisable(-1, 0), unix.EBADF},
		"reset nothing":             {PerfEventReset(-1, 0), unix.EBADF},
		"id of nothing":             {second(PerfEventID(-1)), unix.EBADF},
		"refresh what counts":       {PerfEventRefresh(counting, 1), unix.EINVAL},
		"period of what counts":     {PerfEventPeriod(counting, 1), unix.EINVAL},
		"pause without a ring":      {PerfEventPauseOutput(counting, true), unix.EINVAL},
		"output into itself":        {PerfEventSetOutput(counting, counting), unix.EINVAL},
		"filter of what has none":   {PerfEventSetFilter(counting, "a"), unix.EINVAL},
		"filter with a zero byte":   {PerfEventSetFilter(counting, "a\x00b"), unix.EINVAL},
		"no program":                {PerfEventSetBPF(counting, -1), unix.EBADF},
		"attributes of no address":  {PerfEventModifyAttributes(counting, &zero), unix.EINVAL},
		"attributes of nothing":     {PerfEventModifyAttributes(-1, &zero), unix.EBADF},
		"programs of no tracepoint": {second(PerfEventQueryBPF(-1, nil)), unix.EBADF},
	} {
		if !errors.Is(tt.got, tt.want) && !(strings.HasPrefix(name, "attributes of no") && errors.Is(tt.got, unix.EOPNOTSUPP)) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}
