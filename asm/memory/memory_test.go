//go:build linux

package memory

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

func TestLesson(t *testing.T) { lessontest.Check(t, Lesson()) }

func TestFunctionsOfTheLessonCanBeCalled(t *testing.T) {
	for _, f := range Lesson().Functions {
		f.Call()
	}
}

// Each copy does what the built-in one does, and touches nothing else: all sizes around its blocks, at all
// alignments.
func TestCopiesAreCopy(t *testing.T) {
	const most, around = 300, 64
	random := rand.New(rand.NewPCG(5, 6))
	src, dst, want := make([]byte, most+2*around), make([]byte, most+2*around), make([]byte, most+2*around)
	for i := range src {
		src[i] = byte(random.Uint32())
	}
	for _, c := range Copies() {
		t.Run(c.Name, func(t *testing.T) {
			for n := range most {
				for align := range 40 {
					from, to := align%around, (align*7+n)%around
					for i := range dst {
						dst[i], want[i] = 0xa5, 0xa5
					}
					copy(want[to:to+n], src[from:from+n])
					if got := c.Copy(dst[to:to+n], src[from:from+n]); got != n {
						t.Fatalf("%d bytes copied, want %d", got, n)
					}
					if !bytes.Equal(dst, want) {
						t.Fatalf("%d bytes from +%d to +%d are wrong", n, from, to)
					}
				}
			}
		})
	}
}

func TestCopiesAreCopyForAnySlices(t *testing.T) {
	for _, c := range Copies() {
		rapid.Check(t, func(r *rapid.T) {
			src := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(r, "src")
			dst := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(r, "dst")
			at := rapid.IntRange(0, len(dst)).Draw(r, "at")
			want := slices.Clone(dst)
			n := copy(want[at:], src)
			if got := c.Copy(dst[at:], src); got != n || !bytes.Equal(dst, want) {
				r.Fatalf("%s: %d bytes, want %d: %x, want %x", c.Name, got, n, dst, want)
			}
		})
	}
}

// A copy that ran over either end would fault: the pages beyond are not there.
func TestCopiesStayInside(t *testing.T) {
	page := os.Getpagesize()
	src, dst := fenced(t, page), fenced(t, page)
	for i := range src {
		src[i] = byte(i * 31)
	}
	for _, c := range Copies() {
		for n := 0; n <= page; n += 1 + n/16 {
			c.Copy(dst[page-n:], src[page-n:])
			c.Copy(dst[:n], src[:n])
			if !bytes.Equal(dst[:n], src[:n]) || !bytes.Equal(dst[page-n:], src[page-n:]) {
				t.Errorf("%s: %d bytes", c.Name, n)
			}
			clear(dst)
		}
	}
}

func TestChaseVisitsEachLineOnce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		count := rapid.IntRange(1, 300).Draw(r, "lines")
		stride := line * rapid.IntRange(1, 70).Draw(r, "lines apart")
		a, err := newArea(count*stride, false)
		if err != nil {
			r.Fatal(err)
		}
		defer a.unmap()
		first := a.ring(ringOf(count, stride))
		seen := make(map[uintptr]bool)
		at := first
		for range count {
			if at < a.base() || at+8 > a.base()+uintptr(count*stride) || (at-a.base())%line != 0 {
				r.Fatalf("%#x is no line of %#x", at, a.base())
			}
			if seen[at] {
				r.Fatalf("%#x comes twice in %d", at, count)
			}
			seen[at] = true
			at = chase(at, 1)
		}
		if at != first {
			r.Fatalf("%d lines lead to %#x and not back to %#x", count, at, first)
		}
		if n := rapid.IntRange(1, 1000).Draw(r, "loads"); chase(first, n) != twinChase(first, n, a) {
			r.Fatalf("%d loads lead elsewhere than the twin's", n)
		}
	})
}

// twinChase is chase in Go.
func twinChase(p uintptr, n int, a *area) uintptr {
	words := a.words()
	for range n {
		p = uintptr(words[(p-a.base())/8])
	}
	return p
}

// twinGather is gather in Go.
func twinGather(table []uint64, index []uint32) (sum uint64) {
	for _, i := range index {
		sum += table[i]
	}
	return sum
}

func TestGatherIsItsTwin(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		table := rapid.SliceOfN(rapid.Uint64(), 1, 100).Draw(r, "table")
		distance := rapid.IntRange(0, 70).Draw(r, "distance")
		n := rapid.IntRange(1, 200).Draw(r, "n")
		index := rapid.SliceOfN(rapid.Uint32Range(0, uint32(len(table)-1)), n+distance, n+distance).Draw(r, "index")
		want := twinGather(table, index[:n])
		if got := gather(&table[0], &index[0], n); got != want {
			r.Fatalf("gather = %d, want %d", got, want)
		}
		if got := gatherAhead(&table[0], &index[0], n, distance); got != want {
			r.Fatalf("gatherAhead = %d, want %d", got, want)
		}
	})
}

// Whatever is done about the line, the additions are all there, and its neighbours are as they were.
func TestFlushesLoseNothing(t *testing.T) {
	words := make([]uint64, 24)
	for _, f := range flushes() {
		for i := range words {
			words[i] = uint64(i)
		}
		f.add(&words[11], 1000)
		for i, word := range words {
			want := uint64(i)
			if i == 11 {
				want += 1000
			}
			if word != want {
				t.Errorf("%s: word %d is %d, want %d", f.name, i, word, want)
			}
		}
	}
}

func TestAreaHasThePagesThatItSays(t *testing.T) {
	for _, huge := range []bool{false, true} {
		a, err := newArea(8<<20, huge)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.huge()
		if err != nil {
			t.Error(err)
		}
		// Huge pages are a favour that the kernel may refuse, small ones are not.
		if !huge && got != 0 {
			t.Errorf("%d bytes in huge pages, where none were wanted", got)
		}
		if got%hugeSize != 0 {
			t.Errorf("%d bytes in huge pages", got)
		}
		if err := a.unmap(); err != nil {
			t.Error(err)
		}
	}
}

func TestCachesAreWhatTheKernelSays(t *testing.T) {
	want := []cache{{1, 32 << 10}, {2, 1 << 20}, {3, 32 << 20}}
	if got := caches("testdata/sys", 0); !slices.Equal(got, want) {
		t.Errorf("caches = %v, want %v", got, want)
	}
	if got := caches("testdata/sys", 1); got != nil {
		t.Errorf("caches of a processor that is not there: %v", got)
	}
	for size, want := range map[int]string{1: "L1", 32 << 10: "L1", 33 << 10: "L2", 1 << 30: "memory"} {
		if got := fits(caches("testdata/sys", 0), size); got != want {
			t.Errorf("%d bytes fit into %s, want %s", size, got, want)
		}
	}
	if got := fits(nil, 1); got != "?" {
		t.Errorf("without caches, a byte fits into %s", got)
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int{"32K": 32 << 10, "1M": 1 << 20, "64": 64, "": 0, "K": 0, "-1K": 0, "1G": 0, "99999999999999999M": 0} {
		if got := parseSize(text); got != want {
			t.Errorf("parseSize(%q) = %d, want %d", text, got, want)
		}
	}
}

const smapsText = `7f0000000000-7f0000400000 rw-p 00000000 00:00 0 
Size:               4096 kB
AnonHugePages:      2048 kB
7f0000400000-7f0000800000 rw-p 00000000 00:00 0 
AnonHugePages:      4096 kB
7f0000800000-7f0000c00000 rw-p 00000000 00:00 0 [heap]
AnonHugePages:       512 kB
`

func TestHugeBytesAddsTheAreasThatTouch(t *testing.T) {
	for _, tt := range []struct {
		address, size uint64
		want          int
	}{
		{0x7f0000000000, 4096, 2 << 20},
		{0x7f0000000000, 0x800000, 6 << 20},
		{0x7f00003fffff, 2, 6 << 20},
		{0x7f0000800000, 1, 512 << 10},
		{0x7f0000c00000, 4096, 0},
	} {
		if got, err := hugeBytes(strings.NewReader(smapsText), tt.address, tt.size); got != tt.want || err != nil {
			t.Errorf("%#x+%#x: %d, %v; want %d", tt.address, tt.size, got, err, tt.want)
		}
	}
}

func FuzzHugeBytes(f *testing.F) {
	f.Add(smapsText)
	f.Add("1-2\nAnonHugePages: x kB\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := hugeBytes(strings.NewReader(text), 0, 1<<62); got < 0 || got%1024 != 0 {
			t.Errorf("%d bytes, %v", got, err)
		}
	})
}

func BenchmarkCopies(b *testing.B) {
	const size = 8 << 10
	src, dst := make([]byte, size), make([]byte, size)
	for _, c := range append(Copies(), Copy{Name: "copy"}) {
		b.Run(c.Name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if c.copy == nil {
					copy(dst, src)
				} else {
					c.Copy(dst, src)
				}
			}
		})
	}
}

func BenchmarkChase(b *testing.B) {
	a, err := newArea(16<<10, false)
	if err != nil {
		b.Fatal(err)
	}
	defer a.unmap()
	p := a.ring(ringOf(256, line))
	b.ReportAllocs()
	chase(p, b.N)
	b.ReportMetric(float64(b.Elapsed())/float64(b.N), "ns/load")
}
