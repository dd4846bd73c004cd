//go:build linux

package fiber

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/ring3-go/ring3/asm"
)

// lesson shows a stack, a round of fibers, what a switch costs and what an overflow does.
func lesson(ctx context.Context, w io.Writer) error {
	return asm.Parts(ctx, w, showStack, showRound, showCost, showOverflow)
}

// showStack prints the stack of a fiber before its first turn, and that of one in the middle of a call.
func showStack(_ context.Context, w io.Writer) error {
	s, err := New(Options{Stacks: 1})
	if err != nil {
		return err
	}
	defer s.Close()
	f, err := s.Spawn(Recurse, 1)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%v before its first turn: the stack that Spawn wrote, from SP upward\n", f)
	printStack(w, f)
	if _, err := s.Run(1); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%v after it, one call deep, where it yielded\n", f)
	printStack(w, f)
	fmt.Fprintf(w, "%d bytes of the stack were ever written to\n", f.StackUsed())
	return nil
}

// printStack prints the words of f's stack, and a line for each run of words that say nothing.
func printStack(w io.Writer, f *Fiber) {
	skipped := 0
	for _, word := range f.Stack() {
		if word.Name == "frame" && word.Value == 0 {
			skipped++
			continue
		}
		if skipped > 0 {
			fmt.Fprintf(w, "  ... words of 0: %d\n", skipped)
			skipped = 0
		}
		fmt.Fprintf(w, "  %v\n", word)
	}
}

// showRound prints who has had how many turns while three fibers go round.
func showRound(_ context.Context, w io.Writer) error {
	s, err := New(Options{Stacks: 3})
	if err != nil {
		return err
	}
	defer s.Close()
	var fibers []*Fiber
	for _, turns := range []uint64{2, 5, 3} {
		f, err := s.Spawn(Count, 0, turns)
		if err != nil {
			return err
		}
		fibers = append(fibers, f)
	}
	fmt.Fprintf(w, "\nThree fibers that want 2, 5 and 3 turns; Run(2), again and again\n  turns so far   had by each   left in the ring\n")
	for total := 0; s.Live() > 0; {
		had, err := s.Run(2)
		if err != nil {
			return err
		}
		total += had
		fmt.Fprintf(w, "  %12d   %d  %d  %d       %d\n", total, fibers[0].Words()[0], fibers[1].Words()[0], fibers[2].Words()[0], s.Live())
	}
	return nil
}

// switches is how many are measured at a time: some milliseconds.
const switches = 400_000

// showCost prints what one switch takes, of fibers and of what else there is.
func showCost(ctx context.Context, w io.Writer) error {
	cpus, err := asm.CPUs()
	if err != nil {
		return err
	}
	unpin, err := asm.Pin(cpus[len(cpus)-1])
	if err != nil {
		return err
	}
	defer unpin()
	fmt.Fprintf(w, "\nOne switch, in the fastest of 5 runs of %d\n  %-30s  %8s  %6s  %8s\n", switches, "", "ns", "faults", "switches")
	p, err := NewPair()
	if err != nil {
		return err
	}
	defer p.Close()
	if err := printCost(w, "two stacks, back and forth", switches, func() { p.Switch(switches / 2) }); err != nil {
		return err
	}
	for _, count := range []int{1, 2, 8, 64, 1000, 10_000} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := costOfRing(w, count); err != nil {
			return err
		}
	}
	return costOfGo(w)
}

// costOfRing prints what a turn takes among so many fibers.
func costOfRing(w io.Writer, count int) error {
	s, err := New(Options{Stacks: count, StackSize: 4096})
	if err != nil {
		return err
	}
	defer s.Close()
	for range count {
		if _, err := s.Spawn(Spin); err != nil {
			return err
		}
	}
	return printCost(w, fmt.Sprintf("round robin of %d", count), switches, func() { s.Run(switches) })
}

// costOfGo prints what the runtime's own coroutine takes.
func costOfGo(w io.Writer) error {
	return printCost(w, "iter.Pull, Go on both sides", switches, func() {
		// Made where it is used: such a coroutine wants to be resumed with the same locks on the thread.
		next, stop := iter.Pull(func(yield func(int) bool) {
			for i := 0; yield(i); i++ {
			}
		})
		defer stop()
		for range switches / 2 {
			next()
		}
	})
}

func printCost(w io.Writer, what string, n int, run func()) error {
	cost, err := asm.Measure(5, run)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "  %-30s  %8.1f  %6d  %8d\n", what, cost.Per(n), cost.Faults, cost.Switches)
	return nil
}

// showOverflow lets a fiber call itself until its stack is full, in a copy of the process.
func showOverflow(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := New(Options{Stacks: 2, StackSize: 4096})
	if err != nil {
		return err
	}
	defer s.Close()
	for range 2 {
		if _, err := s.Spawn(Recurse, 1_000_000); err != nil {
			return err
		}
	}
	_, err = s.RunInChild(ctx, 1)
	var fault *FaultError
	if !errors.As(err, &fault) {
		return fmt.Errorf("a million calls deep, and no fault: %w", err)
	}
	fmt.Fprintf(w, "\nA million calls deep on a stack of one page, in a copy of the process\n  %v:\n", fault.Fiber)
	fmt.Fprintf(w, "  %v at %#x, by the instruction at %#x\n", fault.Signal, fault.Addr, fault.PC)
	fmt.Fprintf(w, "  the guard page is %#x-%#x, SP was %#x\n", fault.GuardLow, fault.GuardHigh, fault.SP)
	return nil
}
