//go:build linux

package deref

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

func TestLesson(t *testing.T) { lessontest.Check(t, Lesson()) }

// The twins in Go, which the compiler translates.
func loadGo(p *[64]byte, at int) uint64     { return *(*uint64)(unsafe.Pointer(&p[at])) }
func storeGo(p *[64]byte, at int, v uint64) { *(*uint64)(unsafe.Pointer(&p[at])) = v }

func TestLoadsAndStoresAreThoseOfGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine, twin := new([64]byte), new([64]byte)
		copy(mine[:], rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "memory"))
		*twin = *mine
		at := rapid.IntRange(0, 56).Draw(t, "at")
		v := rapid.Uint64().Draw(t, "value")
		if got, want := Load64(uintptr(unsafe.Pointer(&mine[at]))), loadGo(twin, at); got != want {
			t.Errorf("Load64 = %#x, want %#x", got, want)
		}
		if got := Load8(uintptr(unsafe.Pointer(&mine[at]))); got != twin[at] {
			t.Errorf("Load8 = %#x, want %#x", got, twin[at])
		}
		i, from := rapid.IntRange(0, 7).Draw(t, "i"), rapid.IntRange(0, 7).Draw(t, "from")
		if got, want := LoadIndex(uintptr(unsafe.Pointer(&mine[8*from])), i-from), loadGo(twin, 8*i); got != want {
			t.Errorf("LoadIndex = %#x, want %#x", got, want)
		}
		Store64(uintptr(unsafe.Pointer(&mine[at])), v)
		storeGo(twin, at, v)
		if *mine != *twin {
			t.Errorf("after Store64 memory is %x, want %x", *mine, *twin)
		}
	})
}

// wantFault checks that an access failed as the kernel and the runtime say that it must.
func wantFault(t *testing.T, err error, want FaultError) {
	t.Helper()
	var fault *FaultError
	if !errors.Is(err, ErrFault) || !errors.As(err, &fault) || *fault != want {
		t.Errorf("%v; want %v", err, &want)
	}
}

func TestEveryBadAddressIsAnError(t *testing.T) {
	p, err := newPages()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	Store64(p.data, 42)
	number := uintptr(1111111111111111)
	if runtime.GOARCH == "amd64" && !fiveLevels(t) {
		number = 0 // #GP, which leaves no address
	}
	for _, c := range []struct {
		name           string
		addr, reported uintptr
		known          bool
	}{
		{"nil", 0, 0, false},
		{"field behind nil", 8, 0, false},
		{"end of the first page", 4095, 0, false},
		{"second page", 0x1000, 0x1000, true},
		{"99999999999999", 99999999999999, 99999999999999, true},
		{"1111111111111111", 1111111111111111, number, true},
		{"kernel half", 0xffff_8000_0000_0000, 0xffff_8000_0000_0000, true},
		{"vsyscall page", 0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_0000, true},
		{"no access", p.closed, p.closed, true},
		{"beyond the file", p.beyond, p.beyond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := TryLoad64(c.addr)
			wantFault(t, err, FaultError{"load", c.addr, c.reported, c.known})
			wantFault(t, TryStore64(c.addr, 1), FaultError{"store", c.addr, c.reported, c.known})
		})
	}
	if _, err := TryLoad64(p.readOnly); err != nil {
		t.Error(err)
	}
	wantFault(t, TryStore64(p.readOnly, 1), FaultError{"store", p.readOnly, p.readOnly, true})
	_, err = TryNumber()
	wantFault(t, err, FaultError{"load", 1111111111111111, number, true})
	if v, err := TryLoad64(p.data); v != 42 || err != nil {
		t.Errorf("after all that: %d, %v", v, err)
	}
	// Where two pages are touched, the address is one of the second.
	var fault *FaultError
	if _, err := TryLoad64(p.closed - 4); !errors.As(err, &fault) || fault.Reported-p.closed >= 4 {
		t.Errorf("across two pages: %v; want a fault just behind %#x", err, p.closed)
	}
}

// fiveLevels is what the kernel says of itself: it drops the flag where it does not use them.
func fiveLevels(t *testing.T) bool {
	t.Helper()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(info), " la57")
}

func TestTryLeavesTheGoroutineAsItWas(t *testing.T) {
	for _, was := range []bool{false, true} {
		before := debug.SetPanicOnFault(was)
		TryLoad64(99999999999999)
		if is := debug.SetPanicOnFault(before); is != was {
			t.Errorf("SetPanicOnFault was %v and is %v", was, is)
		}
	}
}

// TestFaultsUnderCollectionAndProfiling makes faults on several threads while stacks are scanned and sampled,
// which is where a frame that cannot be unwound would show.
func TestFaultsUnderCollectionAndProfiling(t *testing.T) {
	lessontest.UnderPressure(t, func() {
		until := time.Now().Add(500 * time.Millisecond)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				v := new(uint64)
				for n := uint64(0); time.Now().Before(until); n++ {
					Store64(uintptr(unsafe.Pointer(v)), n)
					if got := Load64(uintptr(unsafe.Pointer(v))); got != n {
						t.Errorf("loaded %d, stored %d", got, n)
						return
					}
					if _, err := TryLoad64(99999999999999); !errors.Is(err, ErrFault) {
						t.Error(err)
						return
					}
					_ = make([]byte, 1<<10)
				}
			})
		}
		wg.Wait()
	})
}

func BenchmarkLoad64(b *testing.B) {
	b.ReportAllocs()
	v := new(uint64)
	for b.Loop() {
		Load64(uintptr(unsafe.Pointer(v)))
	}
}

func BenchmarkLoadGo(b *testing.B) {
	b.ReportAllocs()
	v := new([64]byte)
	for b.Loop() {
		loadGo(v, 8)
	}
}

// BenchmarkFault is what a fault costs that ends in an error: exception, signal, handler, panic, recovery.
func BenchmarkFault(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		TryLoad64(99999999999999)
	}
}
