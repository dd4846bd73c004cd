//go:build linux

package pipeline

import (
	"bytes"
	"encoding/binary"
	"slices"
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

// twinChain is what every chain does.
func twinChain(c chain, seed, factor uint64, n int) (result uint64) {
	for r := range c.registers {
		value := seed + uint64(r)
		for range 8 / c.registers * n {
			if c.multiply {
				value *= factor
			} else {
				value += factor
			}
		}
		result ^= value
	}
	return result
}

func TestChainsAreTheirTwin(t *testing.T) {
	for _, c := range chains() {
		rapid.Check(t, func(r *rapid.T) {
			seed, factor := rapid.Uint64().Draw(r, "seed"), rapid.Uint64().Draw(r, "factor")
			n := rapid.IntRange(1, 100).Draw(r, "n")
			if got, want := c.run(seed, factor, n), twinChain(c, seed, factor, n); got != want {
				r.Fatalf("%s: %#x, want %#x", c.name, got, want)
			}
		})
	}
}

func twinCount(list []byte, limit uint64) (count int) {
	for _, b := range list {
		if uint64(b) >= limit {
			count++
		}
	}
	return count
}

func TestCountsAreTheirTwin(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		list := rapid.SliceOfN(rapid.Byte(), 1, 500).Draw(r, "bytes")
		limit := rapid.Uint64Range(0, 300).Draw(r, "limit")
		before := slices.Clone(list)
		want := twinCount(list, limit)
		if got := countBranch(&list[0], len(list), limit); got != want {
			r.Fatalf("countBranch = %d, want %d", got, want)
		}
		if got := countSet(&list[0], len(list), limit); got != want {
			r.Fatalf("countSet = %d, want %d", got, want)
		}
		if !bytes.Equal(list, before) {
			r.Fatal("the bytes have changed")
		}
	})
}

// twinForward does to memory what f does, a byte at a time, in the order of the program.
func twinForward(f forward, memory []byte, value uint64, n int) uint64 {
	for range n {
		var stored, loaded [8]byte
		binary.NativeEndian.PutUint64(stored[:], value)
		for _, s := range f.stores {
			copy(memory[s.offset:s.offset+s.size], stored[:])
		}
		copy(loaded[:f.load.size], memory[f.load.offset:])
		value = binary.NativeEndian.Uint64(loaded[:]) + 1
	}
	return value
}

// Whatever way the value takes, the program sees memory as if each store had been there at once: at every
// alignment, and with nothing beside it touched.
func TestForwardsAreTheirTwin(t *testing.T) {
	for _, f := range forwards() {
		rapid.Check(t, func(r *rapid.T) {
			memory := rapid.SliceOfN(rapid.Byte(), 256, 256).Draw(r, "memory")
			at := rapid.IntRange(0, len(memory)-16).Draw(r, "at")
			seed, n := rapid.Uint64().Draw(r, "seed"), rapid.IntRange(1, 50).Draw(r, "n")
			twin := slices.Clone(memory)
			want := twinForward(f, twin[at:], seed, n)
			if got := f.run(&memory[at], seed, n); got != want {
				r.Fatalf("%s: %#x, want %#x", f.name, got, want)
			}
			if !bytes.Equal(memory, twin) {
				r.Fatalf("%s: memory is\n% x, want\n% x", f.name, memory, twin)
			}
		})
	}
}

func TestOrdersAreOrders(t *testing.T) {
	for _, n := range []int{1, 5, 4096} {
		list := orders(n)
		for _, o := range list {
			if len(o.bytes) != n {
				t.Errorf("%s has %d bytes, want %d", o.name, len(o.bytes), n)
			}
		}
		if sorted := slices.Sorted(slices.Values(list[0].bytes)); !bytes.Equal(sorted, list[1].bytes) {
			t.Errorf("%d bytes: the second is not the first, sorted", n)
		}
	}
	if o := orders(4096)[3]; !bytes.Equal(o.bytes[:4080], o.bytes[16:]) {
		t.Errorf("%s has another", o.name)
	}
}

func TestToLineIsTheNextMultiple(t *testing.T) {
	memory := make([]byte, 200)
	start := toLine(memory)
	for i := range 100 {
		if want := (start - i + 128) % 64; toLine(memory[i:]) != want {
			t.Errorf("from %d on it is %d, want %d", i, toLine(memory[i:]), want)
		}
	}
}

func BenchmarkChains(b *testing.B) {
	for _, c := range chains() {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.run(1, 3, 1000)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(8000*b.N), "ns/operation")
		})
	}
}

func BenchmarkCount(b *testing.B) {
	const n = 1 << 16
	for _, o := range orders(n)[:2] {
		for name, count := range map[string]func(p *byte, n int, limit uint64) int{"branch": countBranch, "set": countSet} {
			b.Run(o.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					count(&o.bytes[0], n, limit)
				}
				b.ReportMetric(float64(b.Elapsed())/float64(n*b.N), "ns/byte")
			})
		}
	}
}

func BenchmarkForwards(b *testing.B) {
	memory := make([]byte, 128)
	start := toLine(memory)
	for _, f := range forwards() {
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.run(&memory[start], 1, 1000)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(1000*b.N), "ns/pass")
		})
	}
}
