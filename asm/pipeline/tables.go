//go:build linux

package pipeline

import (
	"math/rand/v2"
	"slices"
)

// A chain is one way to do 8*n operations.
type chain struct {
	name      string
	registers int
	multiply  bool
	run       func(seed, factor uint64, n int) uint64
}

func chains() []chain {
	return []chain{
		{"multiply, 1 register", 1, true, mul1},
		{"multiply, 2 registers", 2, true, mul2},
		{"multiply, 4 registers", 4, true, mul4},
		{"multiply, 8 registers", 8, true, mul8},
		{"add, 1 register", 1, false, add1},
		{"add, 2 registers", 2, false, add2},
		{"add, 4 registers", 4, false, add4},
		{"add, 8 registers", 8, false, add8},
	}
}

// An access is some bytes of the 16 that a forward works on.
type access struct{ offset, size int }

// A forward is one way for a value to go through memory.
type forward struct {
	name   string
	stores []access
	load   access
	run    func(p *byte, seed uint64, n int) uint64
}

func forwards() []forward {
	return []forward{
		{"store 8 bytes, load them", []access{{0, 8}}, access{0, 8}, forwardSame},
		{"store 8, load the low 4", []access{{0, 8}}, access{0, 4}, forwardLow},
		{"store 8, load the high 4", []access{{0, 8}}, access{4, 4}, forwardHigh},
		{"store 8, load the last", []access{{0, 8}}, access{7, 1}, forwardByte},
		{"store 4, load 8", []access{{0, 4}}, access{0, 8}, forwardWide},
		{"store 4 and 4, load 8", []access{{0, 4}, {4, 4}}, access{0, 8}, forwardHalves},
		{"store 8, load 8 from the 4th on", []access{{0, 8}}, access{4, 8}, forwardOverlap},
	}
}

// limit parts bytes in two halves.
const limit = 128

// An order is a way for bytes to be above limit or below.
type order struct {
	name  string
	bytes []byte
}

// orders returns n bytes in several orders. The first two are the same bytes.
func orders(n int) []order {
	random := rand.New(rand.NewPCG(7, 8))
	mixed := make([]byte, n)
	for i := range mixed {
		mixed[i] = byte(random.Uint32())
	}
	sorted := slices.Clone(mixed)
	slices.Sort(sorted)
	rare := make([]byte, n)
	for i := range rare {
		if random.IntN(20) == 0 {
			rare[i] = 255
		}
	}
	return []order{
		{"random", mixed},
		{"the same, sorted", sorted},
		{"one and the other", periodic(n, []byte{0, 255})},
		{"a period of 16", periodic(n, mixed[:min(n, 16)])},
		{"a period of 1024", periodic(n, mixed[:min(n, 1024)])},
		{"1 in 20, at random", rare},
	}
}

// periodic repeats period up to n bytes.
func periodic(n int, period []byte) []byte {
	return slices.Repeat(period, n/len(period)+1)[:n]
}
