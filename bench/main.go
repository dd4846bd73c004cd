//go:build linux

// Bench compares ring3 with what else there is, side by side on this machine.
//
// Synopsis:
//
//	go run . [--list] [--runs N] [--json] [NAME…]
//
// Without a NAME it runs every benchmark. Runs alternate (A B C A B C …), so that a machine that drifts
// drifts under all of them alike; a ratio is taken within each such round, and the median of the ratios
// is held against the target. A missed target is a result, not an error.
//
// Options:
//
//	--list    print the benchmarks and their references, and the targets without a benchmark
//	--runs N  rounds (default 5)
//	--json    print records "ring3/bench/v1", one a line, instead of the table
//
// Times in records are in ns, memory in bytes. What is not installed, or needs what this
// machine or user has not, is reported as missing.
// Exit codes: 0 done, 1 something broke, 2 usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"
)

var errUsage = errors.New("usage")

func main() {
	// Whoever ends it, what was mounted and built is undone: a reader of its output too that ends first.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	list := flags.Bool("list", false, "print the benchmarks and their references")
	runs := flags.Int("runs", 5, "rounds")
	asJSON := flags.Bool("json", false, "print JSON records, one a line")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return errUsage
	case *runs < 1:
		fmt.Fprintln(stderr, "bench: --runs must be at least 1")
		return errUsage
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return errUsage
	}
	if *list {
		if err := printList(stdout, chosen); err != nil || flags.NArg() > 0 {
			return err
		}
		return printGoals(stdout)
	}
	env, err := newEnv(ctx)
	if err != nil {
		return err
	}
	defer env.Close()
	print := printText
	if *asJSON {
		print = printJSON
	}
	var errs []error
	for i, b := range chosen {
		if ctx.Err() != nil && i > 0 {
			break // the one before says so
		}
		fmt.Fprintf(stderr, "%s: %d rounds\n", b.Name, *runs)
		result, err := measure(ctx, env, b, *runs)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", b.Name, err))
			continue
		}
		if i > 0 && !*asJSON {
			fmt.Fprintln(stdout)
		}
		if err := print(stdout, result); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// choose returns the benchmarks of these names, or all.
func choose(names []string) ([]Benchmark, error) {
	all := benchmarks()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []Benchmark
	for _, name := range names {
		i := slices.IndexFunc(all, func(b Benchmark) bool { return b.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no benchmark %q: see --list", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
