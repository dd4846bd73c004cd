package mmu

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func noise(b []byte) {
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
}

// TestCopyStopsAtTheByte copies over the edge of what can be accessed, from each alignment to each, and holds
// the number and every byte against what the edge allows.
func TestCopyStopsAtTheByte(t *testing.T) {
	for _, refuse := range []Access{Load, Store} {
		src, dst := pages(t, 3), pages(t, 3)
		noise(src)
		if refuse == Load {
			unix.Mprotect(src[2*pageSize:], unix.PROT_NONE)
		} else {
			unix.Mprotect(dst[2*pageSize:], unix.PROT_READ)
		}
		edge := 2 * pageSize
		for _, before := range []int{0, 1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 127, 128, 129, 200, pageSize, pageSize + 1} {
			for other := range 33 {
				from, to := edge-before, pageSize/2+other
				if refuse == Store {
					from, to = to, from
				}
				clear(dst[:edge])
				n, err := Guarded{}.Copy(address(dst)+uintptr(to), address(src)+uintptr(from), before+100)
				var fault *Fault
				if n != before || !errors.As(err, &fault) {
					t.Fatalf("%v %d bytes before the edge, %d: %d, %v", refuse, before, other, n, err)
				}
				want := address(src) + uintptr(edge)
				if refuse == Store {
					want = address(dst) + uintptr(edge)
				}
				if fault.Addr != want || fault.Access != refuse || fault.Code != CodeAccessErr {
					t.Fatalf("%+v; want %v %#x", fault, refuse, want)
				}
				if !bytes.Equal(dst[to:to+before], src[from:from+before]) {
					t.Fatalf("%v %d bytes before the edge, %d: bytes differ", refuse, before, other)
				}
				if rest := dst[min(edge, to+before):edge]; !bytes.Equal(rest, make([]byte, len(rest))) {
					t.Fatalf("%v %d bytes before the edge, %d: wrote on after the fault", refuse, before, other)
				}
			}
		}
	}
}

// TestEveryLengthAndAlignment compares with Go's own.
func TestEveryLengthAndAlignment(t *testing.T) {
	src, dst, want := pages(t, 4), pages(t, 4), make([]byte, 4*pageSize)
	noise(src)
	var g Guarded
	lengths := []int{1000, 4095, 4096, 4097, 3 * 4096}
	for n := range 300 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		from, to := n%67, n*7%71
		noise(want)
		copy(dst, want)
		copy(want[to:], src[from:from+n])
		if got, err := g.Copy(address(dst)+uintptr(to), address(src)+uintptr(from), n); got != n || err != nil || !bytes.Equal(dst, want) {
			t.Fatalf("Copy of %d: %d, %v", n, got, err)
		}
		clear(want[to : to+n])
		if got, err := g.Zero(address(dst)+uintptr(to), n); got != n || err != nil || !bytes.Equal(dst, want) {
			t.Fatalf("Zero of %d: %d, %v", n, got, err)
		}
		copy(want[to:], src[from:from+n])
		if got, err := g.Write(address(dst)+uintptr(to), src[from:from+n]); got != n || err != nil || !bytes.Equal(dst, want) {
			t.Fatalf("Write of %d: %d, %v", n, got, err)
		}
		p := make([]byte, n+2)
		if got, err := g.Read(p[1:n+1], address(dst)+uintptr(to)); got != n || err != nil || !bytes.Equal(p[1:n+1], want[to:to+n]) || p[0] != 0 || p[n+1] != 0 {
			t.Fatalf("Read of %d: %d, %v", n, got, err)
		}
		for _, change := range []int{0, n / 2, n - 1} {
			if n > 0 {
				dst[to+change]++
			}
			got, err := g.Compare(address(dst)+uintptr(to), address(src)+uintptr(from), n)
			if want := bytes.Compare(dst[to:to+n], src[from:from+n]); got != want || err != nil {
				t.Fatalf("Compare of %d, the byte at %d differing: %d, %v; want %d", n, change, got, err, want)
			}
			if n > 0 {
				dst[to+change]--
			}
		}
	}
}

func TestOverlappingCopies(t *testing.T) {
	b, want := pages(t, 3), make([]byte, 3*pageSize)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 2*pageSize).Draw(t, "n")
		from := rapid.IntRange(0, len(b)-n).Draw(t, "from")
		to := max(0, min(len(b)-n, from+rapid.IntRange(-600, 600).Draw(t, "distance")))
		noise(b)
		copy(want, b)
		copy(want[to:to+n], want[from:from+n])
		got, err := Guarded{}.Copy(address(b)+uintptr(to), address(b)+uintptr(from), n)
		if got != n || err != nil || !bytes.Equal(b, want) {
			t.Fatalf("%d, %v", got, err)
		}
	})
	if err := unix.Mprotect(b[2*pageSize:], unix.PROT_READ); err != nil {
		t.Fatal(err)
	}
	noise(want)
	copy(b[:2*pageSize], want)
	edge := address(b) + uintptr(2*pageSize)
	if n, err := (Guarded{}).Copy(edge-100, edge-90, 200); n != 100 || !errors.Is(err, ErrFault) || !bytes.Equal(b[2*pageSize-100:2*pageSize-10], want[2*pageSize-90:2*pageSize]) {
		t.Errorf("down to the edge: %d, %v", n, err)
	}
	if n, err := (Guarded{}).Copy(edge-90, edge-100, 200); n != 0 || !errors.Is(err, ErrFault) {
		t.Errorf("up over the edge: %d, %v", n, err)
	}
}

func TestCompareUpToAFault(t *testing.T) {
	a, b := pages(t, 2), pages(t, 2)
	unix.Mprotect(b[pageSize:], unix.PROT_NONE)
	for before := range 200 {
		at := pageSize - before
		fault := new(Fault)
		order, err := Guarded{}.Compare(address(a)+uintptr(at), address(b)+uintptr(at), before+10)
		if order != 0 || !errors.As(err, &fault) || fault.Addr != address(b)+uintptr(pageSize) || fault.Access != Load {
			t.Fatalf("equal up to the edge, %d before it: %d, %v", before, order, err)
		}
		if before == 0 {
			continue
		}
		b[pageSize-1] = 1
		order, err = Guarded{}.Compare(address(a)+uintptr(at), address(b)+uintptr(at), before+10)
		b[pageSize-1] = 0
		if order != -1 || err != nil {
			t.Fatalf("different at the edge, %d before it: %d, %v", before, order, err)
		}
	}
}

func TestZeroStopsAtTheByte(t *testing.T) {
	b := pages(t, 3)
	unix.Mprotect(b[2*pageSize:], unix.PROT_READ)
	for _, before := range []int{0, 1, 63, 64, 65, pageSize + 3} {
		noise(b[:2*pageSize])
		at := 2*pageSize - before
		n, err := Guarded{}.Zero(address(b)+uintptr(at), before+1000)
		if n != before || !errors.Is(err, ErrFault) {
			t.Errorf("%d before the edge: %d, %v", before, n, err)
		}
		if before > 0 && slices.Max(b[at:2*pageSize]) != 0 {
			t.Errorf("%d before the edge: not zero", before)
		}
	}
}

func TestCountsBelowZeroAreRefused(t *testing.T) {
	b := pages(t, 1)
	_, copyErr := Guarded{}.Copy(address(b), address(b)+100, -1)
	_, zeroErr := Guarded{}.Zero(address(b), -1)
	_, compareErr := Guarded{}.Compare(address(b), address(b), -1)
	for _, err := range []error{copyErr, zeroErr, compareErr} {
		if !errors.Is(err, os.ErrInvalid) {
			t.Errorf("%v; want ErrInvalid", err)
		}
	}
}

func TestAccessesAllocateNothing(t *testing.T) {
	b, p := pages(t, 2), make([]byte, 4096)
	var g Guarded
	if n := testing.AllocsPerRun(100, func() {
		g.Store64(address(b), 1)
		g.Load64(address(b))
		g.Copy(address(b), address(b)+4096, 4000)
		g.Read(p, address(b))
		g.Write(address(b), p)
		g.Zero(address(b), 100)
		g.Compare(address(b), address(b)+4096, 4000)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGuarded(b *testing.B) {
	m := pages(b, 4)
	dst, src := address(m), address(m)+uintptr(2*pageSize)
	var g Guarded
	bench := func(name string, bytes int64, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(bytes)
			for b.Loop() {
				f()
			}
		})
	}
	bench("Load64", 8, func() { g.Load64(src) })
	bench("Store64", 8, func() { g.Store64(dst, 1) })
	bench("Copy64", 64, func() { g.Copy(dst, src, 64) })
	bench("Copy4096", 4096, func() { g.Copy(dst, src, 4096) })
	bench("copy4096", 4096, func() { copy(m[:4096], m[2*pageSize:]) })
	bench("Compare4096", 4096, func() { g.Compare(dst, src, 4096) })
	bench("Zero4096", 4096, func() { g.Zero(dst, 4096) })
	bench("fault", 1, func() { g.Load64(8) })
}
