package syscalls

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// A tracer reads FS and GS of a child from its registers; the child tells what it was told by a call's arguments.
var basesChild = addChild("bases", func() error {
	fs, err := FSBase()
	if err != nil {
		return err
	}
	gs, err := GSBase()
	if err != nil {
		return err
	}
	RawSyscall6(unix.SYS_GETPRIORITY, 77, fs, gs, 0, 0, 0)
	return nil
})

func TestBasesAreThoseOfTheRegisters(t *testing.T) {
	traced(t, basesChild, unix.PTRACE_O_TRACESYSGOOD, func(pid int) {
		entry, ok := traceUntil(t, pid, unix.SYS_GETPRIORITY)
		if !ok {
			return
		}
		var regs unix.PtraceRegs
		if err := unix.PtraceGetRegs(pid, &regs); err != nil {
			t.Error(err)
		}
		if regs.Fs_base != entry.Args[1] || regs.Gs_base != entry.Args[2] || regs.Fs_base == 0 {
			t.Errorf("FS and GS are %#x, %#x; the child has %#x, %#x", regs.Fs_base, regs.Gs_base, entry.Args[1], entry.Args[2])
		}
	})
	_, err := archPrctl(0x1fff, 0)
	expect(t, err, unix.EINVAL)
}

func TestCPUIDIsRefusedWhereTheProcessorCan(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	can := strings.Contains(string(info), " cpuid_fault")
	onThread(func() {
		if on, err := CPUIDEnabled(); !on || err != nil {
			t.Errorf("at first CPUID is allowed: %v, %v", on, err)
		}
		err := SetCPUID(false)
		if !can {
			if !isError(err, unix.ENODEV) {
				t.Errorf("a processor that cannot refuse CPUID: %v", err)
			}
			return
		}
		if err != nil {
			t.Error(err)
		}
		if on, err := CPUIDEnabled(); on || err != nil {
			t.Errorf("then CPUID is allowed: %v, %v", on, err)
		}
		if err := SetCPUID(true); err != nil {
			t.Error(err)
		}
	})
}

func TestTileDataIsByPermission(t *testing.T) {
	has, err := XFeaturesSupported()
	if err != nil {
		t.Fatal(err)
	}
	if base := XFeatureX87 | XFeatureSSE; has&base != base {
		t.Errorf("this processor has %v", has)
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	if avx := strings.Contains(string(info), " avx "); avx != (has&XFeatureAVX != 0) {
		t.Errorf("/proc/cpuinfo has AVX: %v, the kernel here %v", avx, has)
	}
	before, err := XFeaturesPermitted()
	if err != nil || before&^has != 0 {
		t.Errorf("of %v are permitted %v, %v", has, before, err)
	}
	if guest, err := GuestXFeaturesPermitted(); err != nil || guest&^has != 0 {
		t.Errorf("of %v are permitted to guests %v, %v", has, guest, err)
	}
	err = RequestTileData()
	if has&XFeatureTileData == 0 {
		expect(t, err, unix.EOPNOTSUPP)
		expect(t, RequestGuestTileData(), unix.EOPNOTSUPP)
		return
	}
	if after, err2 := XFeaturesPermitted(); err != nil || after&XFeatureTileData == 0 || err2 != nil {
		t.Errorf("after it was requested (%v): %v, %v", err, after, err2)
	}
	expect(t, RequestGuestTileData(), nil)
	if got := (XFeatureTileCfg | XFeatureTileData | 8).String(); got != "TILECFG|TILEDATA|0x8" {
		t.Error(got)
	}
}

func TestGoHasNoShadowStack(t *testing.T) {
	on, err := ShadowStack()
	if err != nil {
		featuretest.Skip(t, features.ShadowStackStatus, err)
	}
	status := readStatus(t, "/proc/thread-self/status")
	if shows, ok := status["x86_Thread_features"]; !ok || strings.Contains(shows, "shstk") != (on&ARCH_SHSTK_SHSTK != 0) {
		t.Errorf("it is %v, the kernel shows %q (%v)", on, shows, ok)
	}
	onThread(func() {
		if err := LockShadowStack(ARCH_SHSTK_WRSS); err != nil {
			t.Error(err)
		}
		if locked := readStatus(t, "/proc/thread-self/status")["x86_Thread_features_locked"]; locked != "wrss" {
			t.Errorf("the kernel shows %q locked", locked)
		}
	})
}

func TestTableHasTheSegmentsThatWereSet(t *testing.T) {
	before, err := LDT()
	if err != nil {
		featuretest.Skip(t, features.ModifyLDT, err)
	}
	for _, want := range []UserDesc{
		{Entry: 3, Base: 0x12345678, Limit: 0xabcde, Flags: Segment32Bit | SegmentPages | SegmentAvailable},
		{Entry: 4, Base: 0xff000001, Limit: 5, Flags: Segment32Bit | SegmentReadOnly},
		{Entry: 5, Base: 0x1000, Limit: 0xfff, Flags: Segment32Bit | SegmentCode},
		{Entry: 6, Base: 0x1000, Limit: 0xfff, Flags: Segment32Bit | SegmentStack},
		{Entry: 7, Base: 0x1000, Limit: 0xfff, Flags: Segment32Bit | SegmentNotPresent},
	} {
		if err := SetLDTEntry(want); err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		table, err := LDT()
		if err != nil || len(table) <= int(want.Entry) {
			t.Fatalf("the table has %d entries, %v", len(table), err)
		}
		d := table[want.Entry]
		got := UserDesc{Entry: want.Entry, Base: d.Base(), Limit: d.Limit(), Flags: d.Flags()}
		if got != want || d.DPL() != 3 || d.Present() != (want.Flags&SegmentNotPresent == 0) {
			t.Errorf("it has %#x, which is %+v (%v); want %+v (%v)", uint64(d), got, got.Flags, want, want.Flags)
		}
		limit, ok := SegmentLimit(uint16(want.Entry<<3 | 7))
		bytes := uint64(want.Limit)
		if want.Flags&SegmentPages != 0 {
			bytes = bytes<<12 | 0xfff
		}
		if ok != d.Present() && want.Flags&SegmentNotPresent == 0 || ok && limit != bytes {
			t.Errorf("to the processor its limit is %#x (%v); want %#x", limit, ok, bytes)
		}
		if err := ClearLDTEntry(int(want.Entry)); err != nil {
			t.Fatal(err)
		}
		if table, err = LDT(); err != nil || table[want.Entry] != 0 {
			t.Errorf("after it was cleared it has %#x, %v", uint64(table[want.Entry]), err)
		}
	}
	if len(before) > LDT_ENTRIES {
		t.Errorf("the table had %d entries", len(before))
	}
	for _, bad := range []UserDesc{
		{Entry: LDT_ENTRIES, Flags: Segment32Bit},
		{Entry: 1, Flags: SegmentCode | SegmentStack}, // conforming code, present
	} {
		expect(t, SetLDTEntry(bad), unix.EINVAL)
	}
	expect(t, ClearLDTEntry(-1), unix.EINVAL)
	expect(t, ClearLDTEntry(LDT_ENTRIES), unix.EINVAL)
}

func TestUserDescMirror(t *testing.T) {
	checkLayout(t, UserDesc{}, "user_desc", map[string]string{"Entry": "entry_number", "Base": "base_addr", "Flags": "seg_32bit"})
}
