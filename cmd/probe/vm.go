package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/internal/target"
)

// vmOrders are what regions can be sorted by.
var vmOrders = []string{"resident", "size", "dirty", "swapped", "address"}

// vmOptions are what probe vm was asked for.
type vmOptions struct {
	pid     int
	address uint64
	one     bool // the address alone
	sort    string
	top     int // regions shown; 0: all
	watch   bool
	observe observeOptions // when, and of whom
}

func newVM(out *output) *cobra.Command {
	var o vmOptions
	var interval, duration string
	cmd := &cobra.Command{
		Use:   "vm [flags] PID [ADDRESS]",
		Short: "Show an address space, or one address down through the page tables",
		Long: `vm shows what a process has mapped: how large each region is, how much of it is in memory, shared,
written to, in huge pages or swapped out, summed by kind and sorted. With an address, in hexadecimal, it
shows how the processor splits that into table indices, which region it lies in, and what the page tables
hold for it.

It needs the right to trace the process: to be its user, or CAP_SYS_PTRACE. The numbers of frames are for
CAP_SYS_ADMIN alone; without it they are "hidden". With --watch it shows what has changed each time, until
Ctrl-C or until the process ends.`,
		Example: `  probe vm 4242                     the address space, largest in memory first
  probe vm 4242 --sort address      as the addresses go
  probe vm 4242 7f8a12345678        one address
  probe vm 4242 --watch=500ms       what changes, twice a second
  probe vm --json 4242 | jq .name   a record for each region`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.watch = cmd.Flags().Changed("watch")
			if err := o.parse(args, interval, duration); err != nil {
				return usageError{fmt.Errorf("vm: %w", err)}
			}
			return showVM(out, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.sort, "sort", vmOrders[0], "order of regions: "+strings.Join(vmOrders, ", "))
	flags.IntVar(&o.top, "top", 20, "`N` regions; 0 for all")
	flags.StringVar(&interval, "watch", "", "show what changes, each `INTERVAL`: seconds, or 500ms")
	flags.Lookup("watch").NoOptDefVal = "1"
	flags.StringVar(&duration, "duration", "", "with --watch, end after `D`: seconds, or 1m30s")
	return cmd
}

// parse checks what was given.
func (o *vmOptions) parse(args []string, interval, duration string) (err error) {
	switch {
	case len(args) == 0:
		return errors.New("of which process? give its number")
	case len(args) > 2:
		return fmt.Errorf("%q: want PID [ADDRESS] and nothing after that", args[2])
	case o.top < 0:
		return fmt.Errorf("--top %d: want a number of regions, or 0 for all", o.top)
	case !slices.Contains(vmOrders, o.sort):
		return fmt.Errorf("--sort %q: want one of %s", o.sort, strings.Join(vmOrders, ", "))
	case duration != "" && !o.watch:
		return errors.New("--duration goes with --watch")
	}
	if o.pid, err = strconv.Atoi(args[0]); err != nil || o.pid <= 0 {
		return fmt.Errorf("%q is no process number", args[0])
	}
	if len(args) > 1 {
		o.one = true
		digits := strings.TrimPrefix(strings.ToLower(args[1]), "0x")
		if o.address, err = strconv.ParseUint(digits, 16, 64); err != nil {
			return fmt.Errorf("address %q: want a hexadecimal number of 64 bits", args[1])
		}
	}
	o.observe.target = target.Target{PID: o.pid, NoFollow: true}
	if o.watch {
		// Nothing is mapped so low: it was meant as the interval.
		if o.one && o.address < 1<<12 {
			return fmt.Errorf("%q is no address: the interval goes with an equals sign, --watch=%s", args[1], args[1])
		}
		if o.observe.schedule.every, err = parseSpan("--watch", interval); err != nil {
			return err
		}
	}
	if duration != "" {
		o.observe.schedule.length, err = parseSpan("--duration", duration)
	}
	return err
}
