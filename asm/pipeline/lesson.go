//go:build linux

package pipeline

import (
	"context"
	"fmt"
	"io"

	"github.com/ring3-go/ring3/asm"
)

// runs is how often each experiment is made; the fastest counts.
const runs = 7

// lesson makes the three experiments on the last processor that it may use.
func lesson(ctx context.Context, w io.Writer) error {
	cpus, err := asm.CPUs()
	if err != nil {
		return err
	}
	unpin, err := asm.Pin(cpus[len(cpus)-1])
	if err != nil {
		return err
	}
	defer unpin()
	return asm.Parts(ctx, w, showChains, showBranches, showForwards)
}

// sink keeps results from being nothing.
type sink struct{ value uint64 }

func showChains(_ context.Context, w io.Writer) error {
	const iterations = 100_000
	fmt.Fprintf(w, "%d operations in a row, each on the result of the one before in its register\n", 8*iterations)
	fmt.Fprintf(w, "  %-24s  %8s  %17s  %6s  %8s\n", "", "ns/op", "of one register's", "faults", "switches")
	var result sink
	var one float64
	for _, c := range chains() {
		cost, err := asm.Measure(runs, func() { result.value ^= c.run(1, 3, iterations) })
		if err != nil {
			return err
		}
		each := cost.Per(8 * iterations)
		if c.registers == 1 {
			one = each
		}
		fmt.Fprintf(w, "  %-24s  %8.3f  %17.2f  %6d  %8d\n", c.name, each, each/one, cost.Faults, cost.Switches)
	}
	return nil
}

func showBranches(ctx context.Context, w io.Writer) error {
	const count = 1 << 18
	fmt.Fprintf(w, "\nCount the bytes of %d that are at least %d\n", count, limit)
	fmt.Fprintf(w, "  %-20s  %10s  %13s  %5s  %6s  %8s\n", "order", "branch, ns", "no branch, ns", "ratio", "faults", "switches")
	var result sink
	for _, o := range orders(count) {
		if err := ctx.Err(); err != nil {
			return err
		}
		branch, err := asm.Measure(runs, func() { result.value += uint64(countBranch(&o.bytes[0], count, limit)) })
		if err != nil {
			return err
		}
		set, err := asm.Measure(runs, func() { result.value += uint64(countSet(&o.bytes[0], count, limit)) })
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %-20s  %10.2f  %13.2f  %5.1f  %6d  %8d\n", o.name, branch.Per(count), set.Per(count),
			branch.Per(count)/set.Per(count), branch.Faults+set.Faults, branch.Switches+set.Switches)
	}
	return nil
}

func showForwards(ctx context.Context, w io.Writer) error {
	const count = 20_000
	// Three lines, of which the middle one begins at a multiple of 64 whatever the allocator did.
	memory := make([]byte, 3*64)
	start := toLine(memory)
	fmt.Fprintf(w, "\nA value through memory, %d times: all bytes in one cache line, and across two\n", count)
	fmt.Fprintf(w, "  %-32s  %7s  %7s  %12s  %6s  %8s\n", "", "one, ns", "two, ns", "to the first", "faults", "switches")
	var result sink
	var first float64
	for _, f := range forwards() {
		if err := ctx.Err(); err != nil {
			return err
		}
		inside, err := asm.Measure(runs, func() { result.value += f.run(&memory[start], 1, count) })
		if err != nil {
			return err
		}
		across, err := asm.Measure(runs, func() { result.value += f.run(&memory[start+64-6], 1, count) })
		if err != nil {
			return err
		}
		if first == 0 {
			first = inside.Per(count)
		}
		fmt.Fprintf(w, "  %-32s  %7.2f  %7.2f  %6.1f%6.1f  %6d  %8d\n", f.name, inside.Per(count), across.Per(count),
			inside.Per(count)/first, across.Per(count)/first, inside.Faults+across.Faults, inside.Switches+across.Switches)
	}
	return nil
}
