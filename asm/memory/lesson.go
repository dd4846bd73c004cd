//go:build linux

package memory

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/ring3-go/ring3/asm"
)

const (
	line  = 64     // bytes of a cache line, on all amd64 and nearly all arm64
	loads = 50_000 // how many are measured at a time
	runs  = 5      // of which the fastest counts
)

// lesson makes the five experiments on the last processor that it may use.
func lesson(ctx context.Context, w io.Writer) error {
	cpus, err := asm.CPUs()
	if err != nil {
		return err
	}
	cpu := cpus[len(cpus)-1]
	unpin, err := asm.Pin(cpu)
	if err != nil {
		return err
	}
	defer unpin()
	levels := caches("/sys", cpu)
	withLevels := func(ctx context.Context, w io.Writer) error { return showLevels(ctx, w, levels) }
	return asm.Parts(ctx, w, withLevels, showPages, showPrefetch, showFlush, showCopies)
}

// ringOf returns the offsets of one line in each of count strides, in random order. random is seeded, so that
// two runs chase alike. Lines of neighbouring strides are shifted against each other, so that pages do not
// compete for the same sets of the cache.
func ringOf(count, stride int) []int {
	random := rand.New(rand.NewPCG(1, 2))
	offsets := make([]int, count)
	for i, at := range random.Perm(count) {
		offsets[i] = at*stride + at*line%stride
	}
	return offsets
}

// measureChase times loads through the ring, after a round to warm up.
func measureChase(a *area, offsets []int) (asm.Cost, error) {
	p := a.ring(offsets)
	chase(p, min(2*len(offsets), 4*loads))
	return asm.Measure(runs, func() { p = chase(p, loads) })
}

// showLevels chases through ever more memory. Huge pages keep the TLB out of it, as far as they can be had.
func showLevels(ctx context.Context, w io.Writer, levels []cache) error {
	const most = 128 << 20
	a, err := newArea(most, true)
	if err != nil {
		return err
	}
	defer a.unmap()
	huge, err := a.huge()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "A pointer chase through every line of a piece of memory, in random order (%d%% in huge pages)\n", 100*huge/most)
	fmt.Fprintf(w, "  %10s  %-9s  %8s  %6s  %8s\n", "size", "fits into", "ns/load", "faults", "switches")
	for size := 8 << 10; size <= most; size *= 2 {
		if err := ctx.Err(); err != nil {
			return err
		}
		cost, err := measureChase(a, ringOf(size/line, line))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %10s  %-9s  %8.1f  %6d  %8d\n", sizeText(size), fits(levels, size), cost.Per(loads), cost.Faults, cost.Switches)
	}
	return nil
}

// fits is the nearest level that is large enough.
func fits(levels []cache, size int) string {
	if len(levels) == 0 {
		return "?"
	}
	for _, l := range levels {
		if size <= l.size {
			return fmt.Sprintf("L%d", l.level)
		}
	}
	return "memory"
}

// showPages chases through one line a page, of ever more pages: the lines fit into a near cache, but their
// translations do not fit into the TLB.
func showPages(ctx context.Context, w io.Writer) error {
	const most = 8192
	page := os.Getpagesize()
	small, err := newArea(most*page, false)
	if err != nil {
		return err
	}
	defer small.unmap()
	large, err := newArea(most*page, true)
	if err != nil {
		return err
	}
	defer large.unmap()
	huge, err := large.huge()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nOne line in each page of %s: small pages, and huge ones below the same lines (%d%% are)\n", sizeText(page),
		100*huge/(most*page))
	fmt.Fprintf(w, "  %6s  %8s  %9s  %9s  %8s  %5s  %6s  %8s\n", "pages", "of lines", "of memory", "small, ns", "huge, ns", "ratio",
		"faults", "switches")
	for count := 16; count <= most; count *= 2 {
		if err := ctx.Err(); err != nil {
			return err
		}
		offsets := ringOf(count, page)
		s, err := measureChase(small, offsets)
		if err != nil {
			return err
		}
		l, err := measureChase(large, offsets)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %6d  %8s  %9s  %9.1f  %8.1f  %5.1f  %6d  %8d\n", count, sizeText(count*line), sizeText(count*page),
			s.Per(loads), l.Per(loads), s.Per(loads)/l.Per(loads), s.Faults+l.Faults, s.Switches+l.Switches)
	}
	return nil
}

// showPrefetch adds up words at random places, each load waiting for the one before.
func showPrefetch(ctx context.Context, w io.Writer) error {
	const most, far = 128 << 20, 64
	a, err := newArea(most, true)
	if err != nil {
		return err
	}
	defer a.unmap()
	table := a.words()
	distances := []int{-1, 0, 1, 2, 4, 8, 16, 32, far}
	// Other places in each run, or they would come from the cache that the run before has filled.
	random := rand.New(rand.NewPCG(3, 4))
	index := make([]uint32, len(distances)*runs*loads+far)
	next := 0
	for i := range index {
		index[i] = uint32(random.IntN(len(table)))
	}
	fmt.Fprintf(w, "\n%d words at random places of %s, each load waiting for the one before\n", loads, sizeText(most))
	fmt.Fprintf(w, "  %-16s  %8s  %5s  %6s  %8s\n", "prefetched", "ns/load", "ratio", "faults", "switches")
	var without float64
	for _, distance := range distances {
		if err := ctx.Err(); err != nil {
			return err
		}
		cost, err := asm.Measure(runs, func() {
			if distance < 0 {
				gather(&table[0], &index[next], loads)
			} else {
				gatherAhead(&table[0], &index[next], loads, distance)
			}
			next += loads
		})
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%d loads ahead", distance)
		if distance < 0 {
			what, without = "not", cost.Per(loads)
		}
		fmt.Fprintf(w, "  %-16s  %8.1f  %5.2f  %6d  %8d\n", what, cost.Per(loads), cost.Per(loads)/without, cost.Faults, cost.Switches)
	}
	return nil
}

// showFlush adds to a word and does things about its line.
func showFlush(_ context.Context, w io.Writer) error {
	const count = loads / 5
	fmt.Fprintf(w, "\nAdd 1 to a word, %d times, and do something about its line after each\n  %-10s  %-24s  %8s  %6s  %8s\n", count,
		"", "", "ns", "faults", "switches")
	word := new([line / 4]uint64) // two lines, so that one of them is nobody else's
	for _, f := range flushes() {
		cost, err := asm.Measure(runs, func() { f.add(&word[line/16], count) })
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %-10s  %-24s  %8.1f  %6d  %8d\n", f.name, f.what, cost.Per(count), cost.Faults, cost.Switches)
	}
	return nil
}

// showCopies copies pieces that fit into a near cache, a far one and none.
func showCopies(ctx context.Context, w io.Writer) error {
	sizes := []int{256, 8 << 10, 256 << 10, 16 << 20}
	most := sizes[len(sizes)-1]
	a, err := newArea(2*most, false)
	if err != nil {
		return err
	}
	defer a.unmap()
	fmt.Fprintf(w, "\nCopies, in bytes a nanosecond\n  %-11s", "")
	for _, size := range sizes {
		fmt.Fprintf(w, "  %8s", sizeText(size))
	}
	fmt.Fprintln(w)
	ways := append(Copies(), Copy{Name: "copy", How: "Go's own", copy: nil})
	for _, way := range ways {
		fmt.Fprintf(w, "  %-11s", way.Name)
		do := way.Copy
		if way.copy == nil {
			do = func(dst, src []byte) int { return copy(dst, src) }
		}
		for _, size := range sizes {
			if err := ctx.Err(); err != nil {
				return err
			}
			times := max(1, (1<<20)/size)
			cost, err := asm.Measure(3, func() {
				for range times {
					do(a.memory[most:most+size], a.memory[:size])
				}
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "  %8.1f", float64(size)/cost.Per(times))
		}
		fmt.Fprintf(w, "  %s\n", way.How)
	}
	return nil
}

// huge is how many bytes of the area are in huge pages, as the kernel says.
func (a *area) huge() (int, error) {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, err
	}
	defer smaps.Close()
	total, err := hugeBytes(smaps, uint64(a.base()), uint64(len(a.memory)))
	return min(total, len(a.memory)), err
}

// sizeText writes a power of two of bytes: "64 KiB".
func sizeText(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d B", n)
	}
}
