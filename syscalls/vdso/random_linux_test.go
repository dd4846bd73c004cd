package vdso

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newState is a state, or where the vDSO has no getrandom nothing: the calls must work either way.
func newState(t *testing.T) *State {
	t.Helper()
	state, err := NewState()
	if err != nil {
		if own := Resolved().Getrandom.Err; !errors.Is(err, own) || own == nil {
			t.Fatal(err)
		}
		t.Logf("without a state: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	return state
}

// Twice the same 16 bytes would be a state that served two calls at once, or gave its bytes again.
func TestNoTwoCallsGetTheSameBytes(t *testing.T) {
	state := newState(t) // shared by all
	const goroutines, calls = 8, 2000
	seen := make(map[[16]byte]bool)
	var mu sync.Mutex
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for i := range calls {
				var p [16]byte
				if n, err := Getrandom(p[:], 0, state); n != len(p) || err != nil {
					t.Errorf("%d, %v", n, err)
					return
				}
				mu.Lock()
				twice := seen[p]
				seen[p] = true
				mu.Unlock()
				if twice {
					t.Errorf("%x came twice", p)
					return
				}
				if i%16 == 0 {
					runtime.Gosched() // on to another thread, perhaps
				}
			}
		})
	}
	group.Wait()
}

// A state goes from one thread to another and back.
func TestStateBelongsToNoThread(t *testing.T) {
	state := newState(t)
	tokens := make(chan [16]byte)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			runtime.LockOSThread() // and ends the thread
			for last := range tokens {
				var p [16]byte
				if _, err := Getrandom(p[:], 0, state); err != nil || p == last {
					t.Errorf("%x after %x, %v", p, last, err)
				}
				if p[0] == 0 { // one in 256
					close(tokens)
					return
				}
				tokens <- p
			}
		})
	}
	tokens <- [16]byte{}
	group.Wait()
}

func TestEveryLengthIsFilled(t *testing.T) {
	state := newState(t)
	for _, n := range []int{0, 1, 31, 32, 33, 95, 96, 97, 255, 256, 1000, atOnce, atOnce + 1, 70_000} {
		p := make([]byte, n)
		got, err := Getrandom(p, 0, state)
		if err != nil || got > n || n <= 256 && got != n {
			t.Errorf("%d bytes: %d, %v", n, got, err)
		}
		if n >= 31 && strings.Count(string(p[:got]), "\x00") > got/4+8 {
			t.Errorf("%d bytes: mostly zeroes", n)
		}
	}
	if _, err := Getrandom(make([]byte, 8), 1<<20, state); !errors.Is(err, unix.EINVAL) {
		t.Errorf("of flags that there are not: %v", err)
	}
}

// The kernel says in VmFlags how the state's page is mapped: wiped on fork, and not in core dumps.
func TestStateIsMappedAsTheKernelWants(t *testing.T) {
	state := newState(t)
	if state == nil {
		t.Skipf("tried: %v", Resolved().Getrandom.Err)
	}
	smaps := func() (flags string, found bool) {
		b, err := os.ReadFile("/proc/self/smaps")
		if err != nil {
			t.Fatal(err)
		}
		_, own, found := strings.Cut(string(b), fmt.Sprintf("%x-", uintptr(unsafe.Pointer(unsafe.SliceData(state.mapping)))))
		_, flags, _ = strings.Cut(own, "VmFlags:")
		flags, _, _ = strings.Cut(flags, "\n")
		return flags, found
	}
	flags, found := smaps()
	for _, want := range []string{"wf", "dd"} {
		if !found || !strings.Contains(flags+" ", " "+want+" ") {
			t.Errorf("VmFlags: %s; want %s", flags, want)
		}
	}
	for range 2 {
		if err := state.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if flags, found := smaps(); found && strings.Contains(flags, "wf") {
		t.Errorf("closed, but mapped: %s", flags)
	}
}

func BenchmarkGetrandom(b *testing.B) {
	b.ReportAllocs()
	state, err := NewState()
	if err == nil {
		defer state.Close()
	}
	var p [8]byte
	for b.Loop() {
		Getrandom(p[:], 0, state)
	}
}
