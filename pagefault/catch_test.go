//go:build linux && (amd64 || arm64)

package pagefault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/mmu"
)

// emulated reports whether the processor is one that QEMU makes up, which leaves a few exceptions out.
func emulated(t testing.TB) bool {
	t.Helper()
	return regexp.MustCompile(`(?m)^(model name\s*: QEMU|CPU implementer\s*: 0x00)`).MatchString(cpuinfo(t))
}

func cpuinfo(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// caught catches, or skips where no child can be started at all, as in an emulator of processes.
func caught(t testing.TB, f *Fault, err error) *Fault {
	t.Helper()
	if errors.Is(err, unix.ENOEXEC) {
		t.Skipf("tried: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryExceptionIsWhatTheTableSays(t *testing.T) {
	vectorOf := map[int]bool{}
	for _, e := range Exceptions() {
		vectorOf[e.Vector] = true
		t.Run(e.Name, func(t *testing.T) {
			f, err := e.Catch(t.Context())
			if e.Cannot != "" {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("what cannot be raised: %v, %v", f, err)
				}
				return
			}
			if errors.Is(err, ErrNoFault) && emulated(t) && slices.Contains([]string{"#AC", "#XM", "#MF", "SP alignment"}, e.Name) {
				t.Skipf("tried: %v: QEMU's processor leaves this exception out", err)
			}
			f = caught(t, f, err)
			if emulated(t) && (e.Name == "#SS" && f.TrapNo == 13 || e.Text == "INT1" && f.TrapNo == 6) {
				t.Skipf("tried: %v: QEMU's processor takes this exception for another", f)
			}
			if f.Signal != e.Signal || f.Code != e.Code {
				t.Errorf("%v; want %v, code %d", f, e.Signal, e.Code)
			}
			told := runtime.GOARCH == "amd64" || e.ErrorCode
			if told && f.TrapNo != e.Vector || !told && f.TrapNo != -1 {
				t.Errorf("%v: exception %#x; want %#x", f, f.TrapNo, e.Vector)
			}
			if f.PC == 0 || f.Exception() == "" && told {
				t.Errorf("%v", f)
			}
		})
	}
}

// TestFaultsOfAccessesAreDocumented is the list that everybody meets.
func TestFaultsOfAccessesAreDocumented(t *testing.T) {
	type want struct {
		signal unix.Signal
		code   int32
		trap   int
		err    ErrorCode
		addr   bool // Addr is the address
	}
	addresses := []struct {
		addr  uintptr
		amd64 want
	}{
		{8, want{unix.SIGSEGV, 1, 14, ErrorUser, true}},
		{1111111111111111, want{unix.SIGSEGV, siKernelCode, 13, 0, false}},
		{kernelAddress, want{unix.SIGSEGV, 1, 14, ErrorUser | ErrorPresent, true}},
		{^uintptr(0) - 4095, want{unix.SIGSEGV, 1, 14, ErrorUser | ErrorPresent, true}},
	}
	if la57 := regexp.MustCompile(`(?m)^flags\s*:.*\bla57\b`); runtime.GOARCH == "amd64" && la57.MatchString(cpuinfo(t)) {
		addresses[1].amd64 = want{unix.SIGSEGV, 1, 14, ErrorUser, true} // five levels: the address is one like others
	}
	for _, tt := range addresses {
		for _, access := range []Access{AccessRead, AccessWrite} {
			f, err := CatchAccess(t.Context(), tt.addr, access)
			f = caught(t, f, err)
			if runtime.GOARCH == "arm64" {
				write, status := f.ErrorCode.Abort()
				if f.Signal != unix.SIGSEGV || f.Code != 1 || f.TrapNo != 0x24 || f.Addr != tt.addr || write != (access == AccessWrite) || status == "" {
					t.Errorf("%v of %#x: %+v", access, tt.addr, f)
				}
				continue
			}
			w := tt.amd64
			if access == AccessWrite && w.trap == 14 {
				w.err |= ErrorWrite
			}
			if f.Signal != w.signal || f.Code != w.code || f.TrapNo != w.trap || f.ErrorCode != w.err || w.addr != (f.Addr == tt.addr) {
				t.Errorf("%v of %#x: %v %+v; want %+v", access, tt.addr, f, f, w)
			}
		}
	}
	f, err := CatchAccess(t.Context(), kernelAddress, AccessExecute)
	f = caught(t, f, err)
	if f.Signal != unix.SIGSEGV || f.PC != kernelAddress || len(f.Bytes) != 0 {
		t.Errorf("execute of the kernel's: %v %+v", f, f)
	}
	if _, err := CatchAccess(t.Context(), 8, AccessUnknown); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("unknown access: %v", err)
	}
}

const siKernelCode = 0x80

func TestInstructionsAreShown(t *testing.T) {
	type instruction struct {
		code      []byte
		goes, gnu string // Go's text and the GNU tools'
	}
	want := map[string]map[string]instruction{
		"amd64": {
			"#UD": {[]byte{0x0f, 0x0b}, "UD2", "ud2"}, "#GP privileged": {[]byte{0xf4}, "HLT", "hlt"},
			"#DE by zero": {[]byte{0x48, 0xf7, 0xf1}, "DIVQ CX", "div %rcx"}, "#BP": {[]byte{0xcc}, "INT $0x3", "int3"},
			"#OF": {[]byte{0xcd, 4}, "INT $0x4", "int $0x4"}, "#PF near nil": {[]byte{0x8a, 0x03}, "MOVB 0(BX), AL", "mov (%rbx),%al"},
		},
		"arm64": {
			"undefined": {[]byte{0, 0, 0, 0}, "", ""}, "breakpoint": {[]byte{0, 0, 0x20, 0xd4}, "BRK $0", "brk #0x0"},
		},
	}[runtime.GOARCH]
	found := 0
	for _, e := range Exceptions() {
		if in, ok := want[e.Name]; ok {
			found++
			f, err := e.Catch(t.Context())
			f = caught(t, f, err)
			goes, gnu := f.Instruction()
			if !bytes.HasPrefix(f.Bytes, in.code) || goes != in.goes || gnu != in.gnu {
				t.Errorf("%s: % x, %q, %q; want % x, %q, %q", e.Name, f.Bytes, goes, gnu, in.code, in.goes, in.gnu)
			}
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d exceptions are in the table", found, len(want))
	}
}

// TestFaultsOfThisProcessAreThoseOfAChild makes each access of the table here, guarded, and in a child that dies of it.
func TestFaultsOfThisProcessAreThoseOfAChild(t *testing.T) {
	for _, e := range Exceptions() {
		if e.addr == nil || e.number != raiseRead && e.number != raiseWrite {
			continue
		}
		addr, err := e.addr()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Logf("%s: %v", e.Name, err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if e.number == raiseRead {
			_, err = mmu.Guarded{}.Load8(addr)
		} else {
			err = mmu.Guarded{}.Store8(addr, 1)
		}
		f := FaultOf(fmt.Errorf("wrapped: %w", err))
		if f == nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		child, err := e.Catch(t.Context())
		child = caught(t, child, err)
		if f.Signal != child.Signal || f.Code != child.Code || f.TrapNo != child.TrapNo || f.ErrorCode != child.ErrorCode {
			t.Errorf("%s: here %v %+v; in a child %v %+v", e.Name, f, f, child, child)
		}
		if f.Addr != addr || f.PC != 0 || f.Exception() != child.Exception() {
			t.Errorf("%s: %v %+v; want address %#x", e.Name, f, f, addr)
		}
	}
	if f := FaultOf(os.ErrInvalid); f != nil {
		t.Errorf("no fault at all: %v", f)
	}
}

func TestCatchEndsWithItsContext(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	if _, err := CatchAccess(ctx, 8, AccessRead); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestErrorCodesAreDecoded(t *testing.T) {
	for code, want := range map[ErrorCode]string{
		0: "0", 7: "present|write|user", 0x14: "user|fetch", 0x8065: "present|user|key|shadow-stack|sgx", 1 << 30: "0x40000000", 8: "reserved",
	} {
		if got := code.PageFault(); got != want {
			t.Errorf("%#x: %s; want %s", uint64(code), got, want)
		}
	}
	for esr, want := range map[ErrorCode]string{
		0x9200_0006: "translation, level 2", 0x9200_004f: "permission, level 3", 0x9200_0021: "alignment", 0x9200_000b: "access flag, level 3",
	} {
		write, got := esr.Abort()
		if got != want || write != (esr&64 != 0) || esr.Class() != 0x24 {
			t.Errorf("%#x: %s, write %v, class %#x; want %s", uint64(esr), got, write, esr.Class(), want)
		}
	}
}

func FuzzReportOfAFault(f *testing.F) {
	f.Add([]byte(reportBegin + reportNone))
	f.Add(append([]byte(reportBegin), make([]byte, infoBytes+contextBytes)...))
	f.Add(append([]byte(reportBegin), bytes.Repeat([]byte{1}, infoBytes+contextBytes+codeBytes)...))
	f.Fuzz(func(t *testing.T, report []byte) {
		fault, err := parseFault(report)
		if err != nil || fault == nil {
			return
		}
		if fault.Error() == "" {
			t.Error("a fault without words")
		}
		fault.Instruction()
	})
}
