package mmu

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// badAddresses are of each kind that a processor or kernel refuses in a way of its own. What is made for one
// stays: a process that asks for it is about to end, or has asked once.
var badAddresses = []struct {
	name     string
	access   Access
	addr     func() uintptr
	anywhere bool // the kernel gives no address
}{
	{"nil", Load, func() uintptr { return 0 }, false},
	{"first page", Store, func() uintptr { return 8 }, false},
	{"never mapped", Load, func() uintptr { return 0x5af3107a3000 }, false},
	{"never mapped, store", Store, func() uintptr { return 0x5af3107a3000 }, false},
	{"last byte", Load, func() uintptr { return ^uintptr(0) }, false},
	{"kernel half", Load, func() uintptr { return 0xffff_8000_0000_0000 }, false},
	{"kernel half, store", Store, func() uintptr { return 0xffff_ffff_8100_0000 }, false},
	{"between the halves", Load, func() uintptr { return 0x00f2_8cb7_1571_c7a0 }, true},
	{"between the halves, store", Store, func() uintptr { return 0x00f2_8cb7_1571_c7a0 }, true},
	{"no access", Load, func() uintptr { return mustMap(-1, 1, unix.PROT_NONE) }, false},
	{"no access, store", Store, func() uintptr { return mustMap(-1, 1, unix.PROT_NONE) }, false},
	{"read-only", Store, func() uintptr { return mustMap(-1, 1, unix.PROT_READ) }, false},
	{"code", Store, func() uintptr { return codeAddress() }, false},
	{"beyond the end of a file", Load, func() uintptr { return mustMap(shortFile(), 3, unix.PROT_READ) + uintptr(2*pageSize) }, false},
	{"beyond the end of a file, store", Store, func() uintptr {
		return mustMap(shortFile(), 3, unix.PROT_READ|unix.PROT_WRITE) + uintptr(2*pageSize)
	}, false},
	{"guard region", Load, guardRegion, false},
}

func mustMap(fd, n, prot int) uintptr {
	flags := unix.MAP_SHARED
	if fd < 0 {
		flags = unix.MAP_PRIVATE | unix.MAP_ANON
	}
	b, err := unix.Mmap(fd, 0, n*pageSize, prot, flags)
	if err != nil {
		panic(err)
	}
	return address(b)
}

func shortFile() int {
	fd, err := unix.MemfdCreate("short", unix.MFD_CLOEXEC)
	if err == nil {
		err = unix.Ftruncate(fd, int64(pageSize)+1)
	}
	if err != nil {
		panic(err)
	}
	return fd
}

// codeAddress is where machine code of this binary stands: mapped, and not to be written.
func codeAddress() uintptr { return handlerPC() }

// guardRegion is a page with a guard (Linux 6.13), or without access on a kernel that has none.
func guardRegion() uintptr {
	addr := mustMap(-1, 1, unix.PROT_READ|unix.PROT_WRITE)
	const install = 102 // MADV_GUARD_INSTALL
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, addr, uintptr(pageSize), install); errno != 0 {
		return mustMap(-1, 1, unix.PROT_NONE)
	}
	return addr
}

// victim makes the access without a guard, and dies of it.
func victim(name, guardFirst string) {
	if guardFirst == "guarded" {
		if _, err := (Guarded{}).Load8(0); !errors.Is(err, ErrFault) {
			panic(err)
		}
	}
	for _, bad := range badAddresses {
		if bad.name != name {
			continue
		}
		if bad.access == Store {
			*plain(bad.addr()) = 1
		} else {
			sink = *plain(bad.addr())
		}
	}
}

var sink byte

// plain is a pointer that Go does not vouch for.
//
//go:nocheckptr
func plain(addr uintptr) *byte { return (*byte)(unsafe.Add(unsafe.Pointer(nil), addr)) }

// TestFaultIsTheSignalThatKills has a child make each access without a guard: the kernel kills it, and
// Go says with what signal and code. The handler of ours is in place in some of the children, and must change
// nothing about it.
func TestFaultIsTheSignalThatKills(t *testing.T) {
	said := regexp.MustCompile(`(?m)^\[signal (SIG\w+): .* code=(0x[0-9a-f]+) addr=(0x[0-9a-f]+) pc=`)
	for i, bad := range badAddresses {
		t.Run(bad.name, func(t *testing.T) {
			addr := bad.addr()
			var err error
			if bad.access == Load {
				_, err = Guarded{}.Load8(addr)
			} else {
				err = Guarded{}.Store8(addr, 1)
			}
			var fault *Fault
			if !errors.As(err, &fault) {
				t.Fatalf("%v %#x: %v", bad.access, addr, err)
			}
			if fault.Access != bad.access || fault.Addr != addr {
				t.Errorf("%+v; want %v %#x", fault, bad.access, addr)
			}
			out, err := exec.Command(os.Args[0], asVictim, bad.name, []string{"guarded", "plain"}[i%2]).CombinedOutput()
			m := said.FindSubmatch(out)
			if m == nil {
				t.Fatalf("child: %v, %s", err, out)
			}
			code, _ := strconv.ParseInt(string(m[2]), 0, 32)
			if got := unix.SignalName(fault.Signal); got != string(m[1]) || int64(fault.Code) != code {
				t.Errorf("%s with code %#x; the child died of %s", got, fault.Code, m[0])
			}
			t.Logf("%v", fault)
		})
	}
}

func TestLoadsReturnWhatStoresStored(t *testing.T) {
	b := pages(t, 1)
	addr := address(b)
	for i := range 9 {
		at := addr + uintptr(i)
		var g Guarded
		for _, err := range []error{g.Store64(at, 0xf1e2d3c4b5a69788), g.Store8(at+1, 0x11), g.Store16(at+2, 0x2233), g.Store32(at+4, 0x44556677)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		want := []byte{0x88, 0x11, 0x33, 0x22, 0x77, 0x66, 0x55, 0x44}
		if got := b[i : i+8]; !bytes.Equal(got, want) {
			t.Fatalf("% x at %d; want % x", got, i, want)
		}
		v8, err8 := g.Load8(at)
		v16, err16 := g.Load16(at)
		v32, err32 := g.Load32(at)
		v64, err64 := g.Load64(at)
		if err := errors.Join(err8, err16, err32, err64); err != nil {
			t.Fatal(err)
		}
		if v8 != 0x88 || v16 != 0x1188 || v32 != 0x22331188 || v64 != 0x4455667722331188 {
			t.Errorf("%#x %#x %#x %#x", v8, v16, v32, v64)
		}
	}
}

// TestWordsAcrossPages are those of which the second part cannot be accessed.
func TestWordsAcrossPages(t *testing.T) {
	b := pages(t, 2)
	edge := uintptr(pageSize)
	if err := unix.Mprotect(b[pageSize:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	var g Guarded
	for back := uintptr(1); back < 8; back++ {
		addr := address(b) + edge - back
		wantFault := func(err error, access Access, size uintptr) {
			t.Helper()
			var fault *Fault
			switch {
			case size <= back && err != nil:
				t.Errorf("%d bytes, %d before the edge: %v", size, back, err)
			case size > back && (!errors.As(err, &fault) || fault.Addr != address(b)+edge || fault.Access != access || fault.Code != CodeAccessErr):
				t.Errorf("%d bytes, %d before the edge %#x: %v", size, back, address(b)+edge, err)
			}
		}
		_, err := g.Load16(addr)
		wantFault(err, Load, 2)
		_, err = g.Load32(addr)
		wantFault(err, Load, 4)
		_, err = g.Load64(addr)
		wantFault(err, Load, 8)
		for size, store := range map[uintptr]func() error{
			2: func() error { return g.Store16(addr, 0xffff) },
			4: func() error { return g.Store32(addr, 0xffffffff) },
			8: func() error { return g.Store64(addr, ^uint64(0)) },
		} {
			clear(b[:pageSize])
			wantFault(store(), Store, size)
			if runtime.GOARCH == "amd64" && size > back && slices.Max(b[:pageSize]) != 0 {
				t.Errorf("%d bytes, %d before the edge: stored a part", size, back)
			}
		}
	}
}

// TestGoKeepsItsFaults makes those that Go handles itself, with our handler in place.
func TestGoKeepsItsFaults(t *testing.T) {
	if _, err := (Guarded{}).Load8(0); !errors.Is(err, ErrFault) {
		t.Fatal(err)
	}
	none := mustMap(-1, 1, unix.PROT_NONE)
	beyond := mustMap(shortFile(), 3, unix.PROT_READ) + uintptr(2*pageSize)
	for _, addr := range []uintptr{8, none, beyond} {
		func() {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			defer func() {
				err, ok := recover().(runtime.Error)
				if !ok {
					t.Errorf("no panic at %#x", addr)
				}
				if a, ok := err.(interface{ Addr() uintptr }); addr != 8 && (!ok || a.Addr() != addr) {
					t.Errorf("%v; want the address %#x", err, addr)
				}
			}()
			sink = *plain(addr)
		}()
	}
}

// copier says which thread it is and copies guarded for a while.
func copier() {
	runtime.LockOSThread()
	from, to := make([]byte, 4<<20), make([]byte, 4<<20)
	copies := make(chan bool)
	go func(tid int) {
		<-copies
		fmt.Println(tid)
	}(unix.Gettid())
	for i := range 5000 { // seconds
		if i == 1 {
			close(copies)
		}
		Guarded{}.Copy(address(to), address(from), len(to))
	}
}

// TestNewsOfDamageIsNoFault has a thread that copies guarded get what the kernel sends to say that memory is damaged
// which nobody has read: Go has to hear of it, and ends the program. A tracer makes an ordinary signal into that one.
func TestNewsOfDamageIsNoFault(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var complaint bytes.Buffer
	cmd := exec.Command(os.Args[0], asCopier)
	cmd.Stderr = &complaint
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	tid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	trace := func(request, data uintptr) {
		t.Helper()
		if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, request, uintptr(tid), 0, data, 0, 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	trace(unix.PTRACE_SEIZE, 0)
	if err := unix.Tgkill(cmd.Process.Pid, tid, unix.SIGBUS); err != nil {
		t.Fatal(err)
	}
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(tid, &status, unix.WALL, nil); err != nil {
			t.Fatal(err)
		}
		if !status.Stopped() {
			t.Fatalf("wait status %#x", status)
		}
		if status.StopSignal() == unix.SIGBUS {
			break
		}
		trace(unix.PTRACE_CONT, uintptr(status.StopSignal())) // Go's own, to have the thread yield
	}
	const siCode, actionOptional = 2, 5                              // BUS_MCEERR_AO
	info := [32]int32{0: int32(unix.SIGBUS), siCode: actionOptional} // siginfo_t
	trace(unix.PTRACE_SETSIGINFO, uintptr(unsafe.Pointer(&info)))
	trace(unix.PTRACE_DETACH, uintptr(unix.SIGBUS))
	if err := cmd.Wait(); err == nil || !strings.Contains(complaint.String(), "unexpected fault address") && !strings.Contains(complaint.String(), "SIGBUS") {
		t.Errorf("%v, %s", err, &complaint)
	}
}

// TestHandlerKeepsWhatGoAskedFor looks at the kernel's own record of the handlers.
func TestHandlerKeepsWhatGoAskedFor(t *testing.T) {
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	var reference sigaction // of a signal that we leave alone
	if err := rtSigaction(syscall.SIGFPE, nil, &reference); err != nil {
		t.Fatal(err)
	}
	for signal, next := range map[syscall.Signal]uintptr{syscall.SIGSEGV: nextSEGV, syscall.SIGBUS: nextBUS} {
		var now sigaction
		if err := rtSigaction(signal, nil, &now); err != nil {
			t.Fatal(err)
		}
		if now.handler != handlerPC() || next != reference.handler {
			t.Errorf("%v: handler %#x, then %#x; want %#x, then %#x", signal, now.handler, next, handlerPC(), reference.handler)
		}
		if now.flags != reference.flags || now.mask != reference.mask || now.restorer != reference.restorer {
			t.Errorf("%v: %+v; Go's are %+v", signal, now, reference)
		}
	}
}

// foreign has Go's handler look like one of C code that takes the number of the signal alone, and makes a bad
// access. The kernel writes no siginfo_t then; what an earlier signal left on the stack stands there.
func foreign() {
	var action sigaction
	if err := rtSigaction(syscall.SIGSEGV, nil, &action); err != nil {
		panic(err)
	}
	action.flags &^= 0x4 // SA_SIGINFO
	if err := rtSigaction(syscall.SIGSEGV, &action, nil); err != nil {
		panic(err)
	}
	_, err := Guarded{}.Load8(0x5af3107a3000)
	fmt.Print(err)
}

func TestHandlerWithoutSiginfo(t *testing.T) {
	out, err := exec.Command(os.Args[0], asForeign).CombinedOutput()
	want := "load from 0x5af3107a3000: address not accessible: segmentation fault, nothing mapped (SEGV_MAPERR)"
	if err != nil || string(out) != want {
		t.Errorf("%v, %s; want %s", err, out, want)
	}
}

// TestGuardedCodeStandsTogether moves the marks, as a linker would that shuffles functions.
func TestGuardedCodeStandsTogether(t *testing.T) {
	begin, end := marks()
	if err := together(begin, end); err != nil {
		t.Error(err)
	}
	const function = 32 // bytes; the marks are smaller
	for _, m := range [][2]uintptr{{begin - 1, end}, {begin + function, end}, {begin, begin + 3*function}, {begin, end + function}, {end, begin}, {begin, begin}} {
		if err := together(m[0], m[1]); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("from %+d to %+d: %v", int(m[0]-begin), int(m[1]-end), err)
		}
	}
}

func TestFaultSaysWhatHappened(t *testing.T) {
	for want, f := range map[string]Fault{
		"load from 0x8: address not accessible: segmentation fault, nothing mapped (SEGV_MAPERR)":            {8, Load, syscall.SIGSEGV, 1, 0, 0},
		"store to 0x8: address not accessible: bus error, beyond the end of the file (BUS_ADRERR)":           {8, Store, syscall.SIGBUS, 2, 0, 0},
		"load from 0x8: address not accessible: segmentation fault, not canonical (SI_KERNEL)":               {8, Load, syscall.SIGSEGV, 0x80, 0, 0},
		"access 7 to 0x8: address not accessible: segmentation fault, si_code 99":                            {8, 7, syscall.SIGSEGV, 99, 0, 0},
		"store to 0x8: address not accessible: bus error, damaged memory (BUS_MCEERR_AR)":                    {8, Store, syscall.SIGBUS, 4, 0, 0},
		"store to 0x8: address not accessible: segmentation fault, not allowed by the mapping (SEGV_ACCERR)": {8, Store, syscall.SIGSEGV, 2, 0, 0},
	} {
		if got := f.Error(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
		if err := fmt.Errorf("x: %w", &f); !errors.Is(err, ErrFault) {
			t.Errorf("%v is no ErrFault", err)
		}
	}
}
