package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/pagefault"
)

// benchFaultsOptions are the flags.
type benchFaultsOptions struct {
	count   int
	reserve bool
	dir     string
	backend string
}

func newBenchFaults(out *output) *cobra.Command {
	var opts benchFaultsOptions
	cmd := &cobra.Command{
		Use:   "faults [flags] [CLASS…]",
		Short: "Cause page faults of every class, count and time them",
		Long: `faults causes page faults of each class, or of those that are named: so many in a row, in random order, in a
process that does nothing else. For each it shows how many the kernel counted (getrusage), how many an observer saw
and what it called them, and how long one took, without what the loop itself costs.

A class that cannot be had here says what is missing. What changes a setting of the machine, for as long as it
takes, asks for --reserve: huge pages that are reserved, and a swap file.`,
		Example: `  probe bench faults
  probe bench faults "first-touch write" "file major" --count 1000
  sudo probe bench faults --reserve --dir /var/tmp`,
		RunE: func(_ *cobra.Command, args []string) error {
			causes, err := chooseCauses(args)
			if err == nil && !slices.Contains(append(faultBackends(), ""), opts.backend) {
				err = fmt.Errorf("--backend %q: want one of %s", opts.backend, strings.Join(faultBackends(), ", "))
			}
			if err == nil && (opts.count < 1 || opts.count > 1<<16) {
				err = fmt.Errorf("--count %d: want 1 to %d", opts.count, 1<<16)
			}
			if err != nil {
				return usageError{err}
			}
			return benchFaults(out, causes, opts)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&opts.count, "count", 256, "faults of each class")
	flags.BoolVar(&opts.reserve, "reserve", false, "change settings of the machine for as long as it takes")
	flags.StringVar(&opts.dir, "dir", "", "make files in this `directory`")
	flags.StringVar(&opts.backend, "backend", "", "observe by this back end alone: "+strings.Join(faultBackends(), ", "))
	return cmd
}

func chooseCauses(names []string) ([]pagefault.Cause, error) {
	all := pagefault.Causes()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []pagefault.Cause
	for _, name := range names {
		i := slices.IndexFunc(all, func(c pagefault.Cause) bool { return c.Name == name })
		if i < 0 {
			var known []string
			for _, c := range all {
				known = append(known, c.Name)
			}
			return nil, fmt.Errorf("no class %q: want some of %q", name, known)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// benchFaults causes and reports, one class after another; SIGINT and SIGTERM end it after the class under way.
func benchFaults(out *output, causes []pagefault.Cause, opts benchFaultsOptions) error {
	if len(causes) == 0 {
		return &pagefault.NotSupportedError{Feature: "causing page faults", Since: "Linux on amd64 or arm64"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !out.json {
		benchFaultsHead(out)
	}
	var refused error
	for _, c := range causes {
		r, err := benchCause(ctx, c, opts)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if r.refused != nil {
			refused = r.refused
		}
		if out.json {
			err = out.record(r)
		} else {
			err = benchFaultsRow(out, r)
		}
		if err != nil {
			return err
		}
	}
	if refused != nil {
		fmt.Fprintf(out.talk, "probe: classes and what was seen are unknown: %s\n", cleanLines(refused.Error()))
	}
	return nil
}

// benchCause makes one record.
func benchCause(ctx context.Context, c pagefault.Cause, opts benchFaultsOptions) (*benchFaultsRecord, error) {
	r := newBenchFaultsRecord(c)
	cause := pagefault.CauseOptions{Count: opts.count, Reserve: opts.reserve, Dir: opts.dir}
	cannot := new(pagefault.CannotHereError)
	observed, err := c.RunObserved(ctx, cause, pagefault.Options{Backend: pagefault.Backend(opts.backend)})
	switch {
	case errors.As(err, &cannot):
		r.Cannot = clean(strings.TrimPrefix(cannot.Error(), fmt.Sprintf("cannot cause %q here, because ", c.Name)))
		return r, nil
	case err == nil:
		r.fill(&observed.Caused)
		r.observe(observed)
		if r.Observer == nil {
			r.refused = errors.New("that takes CAP_BPF and CAP_PERFMON")
		}
		return r, nil
	case opts.backend != "" || !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission):
		return nil, err
	}
	r.refused = err
	done, err := c.Run(ctx, cause)
	if err != nil {
		return nil, err
	}
	r.fill(done)
	return r, nil
}
