package syscalls

import (
	"bufio"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// smaps returns what /proc/self/smaps says of the mapping at m: a line's name, and the rest of it.
func smaps(t testing.TB, m []byte) map[string]string {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var said map[string]string
	start := strconv.FormatUint(uint64(addressOf(m)), 16) + "-"
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		switch {
		case strings.HasPrefix(name, start):
			said = make(map[string]string)
		case strings.Contains(name, "-"): // another mapping
			if said != nil {
				return said
			}
		case said != nil:
			said[name] = strings.TrimSpace(rest)
		}
	}
	return said
}

// ownTest maps pages that the kernel shows as a mapping of their own: it does not merge them with what lies
// beside.
func ownTest(t testing.TB, pages int) []byte {
	t.Helper()
	page := os.Getpagesize()
	m, err := unix.Mmap(-1, 0, (pages+2)*page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(os.NewSyscallError("mmap", err))
	}
	t.Cleanup(func() { unix.Munmap(m) })
	own := m[page : (pages+1)*page : (pages+1)*page]
	if err := unix.Mprotect(own, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(os.NewSyscallError("mprotect", err))
	}
	return own
}

// faults reports whether an access of this goroutine's is a fault.
func faults(access func()) (fault bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { fault = recover() != nil }()
	access()
	return
}

func TestPkeyForbids(t *testing.T) {
	runtime.LockOSThread() // rights are the thread's
	defer runtime.UnlockOSThread()
	key, err := PkeyAlloc(PKEY_DISABLE_WRITE)
	if err != nil {
		featuretest.Skip(t, features.ProtectionKeys, err)
	}
	m := ownTest(t, 1)
	m[0] = 'k'
	if err := PkeyMprotect(addressOf(m), uintptr(len(m)), unix.PROT_READ|unix.PROT_WRITE, key); err != nil {
		t.Fatal(err)
	}
	if got := smaps(t, m)["ProtectionKey"]; got != strconv.Itoa(key) {
		t.Errorf("smaps shows the key %q; want %d", got, key)
	}
	if m[0] != 'k' || kernelReads(t, m) != nil {
		t.Error("reading is forbidden too")
	}
	if !faults(func() { m[0] = 'w' }) {
		t.Error("a write did not fault")
	}

	closed, err := PkeyAlloc(PKEY_DISABLE_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	if err := PkeyMprotect(addressOf(m), uintptr(len(m)), unix.PROT_READ|unix.PROT_WRITE, closed); err != nil {
		t.Fatal(err)
	}
	if !faults(func() { runtime.KeepAlive(m[0]) }) {
		t.Error("a read did not fault")
	}
	if err := kernelReads(t, m); !errors.Is(err, unix.EFAULT) {
		t.Errorf("the kernel reads it: %v", err)
	}

	if err := PkeyMprotect(addressOf(m), uintptr(len(m)), unix.PROT_READ|unix.PROT_WRITE, 0); err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{key, closed} {
		if err := PkeyFree(k); err != nil {
			t.Error(err)
		}
	}
	for name, tt := range map[string]struct{ got, want error }{
		"free again":     {PkeyFree(key), unix.EINVAL},
		"a key no more":  {PkeyMprotect(addressOf(m), uintptr(len(m)), unix.PROT_READ, key), unix.EINVAL},
		"unknown rights": {second(PkeyAlloc(1 << 30)), unix.EINVAL},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

func TestPkeyMprotectWithoutAKeyIsMprotect(t *testing.T) {
	m := ownTest(t, 1)
	if err := PkeyMprotect(addressOf(m), uintptr(len(m)), unix.PROT_NONE, -1); err != nil {
		featuretest.Skip(t, features.ProtectionKeys, err)
	}
	if err := kernelReads(t, m); !errors.Is(err, unix.EFAULT) {
		t.Errorf("the kernel reads it: %v", err)
	}
	if err := PkeyMprotect(addressOf(m)+1, 1, unix.PROT_READ, -1); !errors.Is(err, unix.EINVAL) {
		t.Errorf("part of a page: %v", err)
	}
	if err := PkeyMprotect(addressOf(m), uintptr(len(m)), unix.PROT_READ, 99); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a key that there is not: %v", err)
	}
}

func TestShadowStackIsMapped(t *testing.T) {
	size := uintptr(os.Getpagesize())
	stack, err := MapShadowStack(0, size, SHADOW_STACK_SET_TOKEN)
	if err != nil {
		for name, tt := range map[string]struct{ got, want error }{ // a kernel without may not know its flags
			"unknown flag": {second(MapShadowStack(0, size, 1<<30)), unix.EINVAL},
		} {
			if !errors.Is(tt.got, tt.want) && !errors.Is(tt.got, unix.EOPNOTSUPP) && !errors.Is(tt.got, unix.ENOSYS) {
				t.Errorf("%s: %v", name, tt.got)
			}
		}
		featuretest.Skip(t, features.ShadowStack, err)
	}
	defer unix.Syscall(unix.SYS_MUNMAP, stack, size, 0)
	said, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(said), strconv.FormatUint(uint64(stack), 16)+"-")
	_, flags, _ := strings.Cut(after, "VmFlags:")
	flags, _, _ = strings.Cut(flags, "\n")
	if !ok || !strings.Contains(flags+" ", " ss ") {
		t.Errorf("smaps does not show a shadow stack at %#x: %q", stack, flags)
	}
	if _, err := MapShadowStack(0, size, 1<<30); !errors.Is(err, unix.EINVAL) {
		t.Errorf("unknown flag: %v", err)
	}
}
