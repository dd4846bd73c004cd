package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ring3-go/ring3/internal/bpf"
	"github.com/ring3-go/ring3/internal/target"
)

// observeOptions are what probe faults and probe switches were asked for.
type observeOptions struct {
	target   target.Target
	by       bpf.By
	top      int // rows of a table; 0: all
	schedule schedule
	backend  string
	hist     bool
}

// observeFlags are they on the command line. Keys and back ends differ from command to command.
type observeFlags struct {
	keys     bpf.By
	backends []string

	pid, tid     int
	comm, cgroup string
	noFollow     bool
	by           string
	top          int
	duration     string
	backend      string
	hist         bool
}

func (f *observeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVarP(&f.pid, "pid", "p", 0, "observe process `PID` and what it starts, until it ends")
	flags.IntVar(&f.tid, "tid", 0, "observe thread `TID` alone")
	flags.StringVar(&f.comm, "comm", "", "observe every task of this command `NAME` (at most 15 bytes)")
	flags.StringVarP(&f.cgroup, "cgroup", "c", "", "observe every task in this `CGROUP` (v2: /path or directory) and below")
	flags.BoolVar(&f.noFollow, "no-follow", false, "with -p: leave out what the process starts")
	flags.StringVar(&f.by, "by", "comm,pid", "group by `KEY[,KEY]` of "+f.keys.String()+`; "" for no groups`)
	flags.IntVar(&f.top, "top", 10, "`N` rows of each table of groups; 0 for all")
	flags.StringVar(&f.duration, "duration", "", "end after `D`: seconds, or 1m30s")
	flags.StringVar(&f.backend, "backend", "", "use this back end only: "+strings.Join(f.backends, ", "))
	flags.BoolVar(&f.hist, "hist", false, "add whole distributions")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			if _, notNumber := strconv.ParseFloat(unknown.GetSpecifiedShortnames(), 64); notNumber == nil {
				err = fmt.Errorf("-%s: intervals and counts are not negative", unknown.GetSpecifiedShortnames())
			}
		}
		return usageError{fmt.Errorf("%s: %w", cmd.Name(), err)}
	})
}

// parse returns a usageError for what cannot be meant.
func (f *observeFlags) parse(cmd *cobra.Command, args []string) (observeOptions, error) {
	o := observeOptions{top: f.top, backend: f.backend, hist: f.hist}
	var errs [4]error
	o.target, errs[0] = f.parseTarget(cmd)
	o.by, errs[1] = parseBy(f.by, f.keys)
	o.schedule, errs[2] = f.parseSchedule(cmd, args)
	if f.top < 0 {
		errs[3] = fmt.Errorf("--top %d: want a number of rows, or 0 for all", f.top)
	} else {
		errs[3] = checkBackend(cmd, "backend", f.backends)
	}
	for _, err := range errs {
		if err != nil {
			return o, usageError{fmt.Errorf("%s: %w", cmd.Name(), err)}
		}
	}
	return o, nil
}

// checkBackend refuses what is no back end; an empty one too, where it was given.
func checkBackend(cmd *cobra.Command, flag string, backends []string) error {
	value := cmd.Flags().Lookup(flag).Value.String()
	if cmd.Flags().Changed(flag) && !slices.Contains(backends, value) {
		return fmt.Errorf("--%s %q: want one of %s", flag, value, strings.Join(backends, ", "))
	}
	return nil
}

func (f *observeFlags) parseTarget(cmd *cobra.Command) (target.Target, error) {
	t := target.Target{PID: f.pid, TID: f.tid, Comm: f.comm, Cgroup: f.cgroup, NoFollow: f.noFollow}
	given := 0
	for _, flag := range []struct {
		name  string
		empty bool // and would mean the host
	}{{"pid", f.pid <= 0}, {"tid", f.tid <= 0}, {"comm", f.comm == ""}, {"cgroup", f.cgroup == ""}} {
		if !cmd.Flags().Changed(flag.name) {
			continue
		}
		given++
		if flag.empty {
			return t, fmt.Errorf("--%s %q: there can be none", flag.name, cmd.Flags().Lookup(flag.name).Value)
		}
	}
	switch {
	case given > 1:
		return t, errors.New("give one of --pid, --tid, --comm and --cgroup")
	case f.noFollow && f.pid == 0:
		return t, errors.New("--no-follow goes with --pid")
	}
	return t, t.Validate()
}

func parseBy(list string, keys bpf.By) (bpf.By, error) {
	var by bpf.By
	if list == "" {
		return by, nil
	}
	for name := range strings.SplitSeq(list, ",") {
		key, ok := bpf.ParseBy(strings.TrimSpace(name))
		if !ok || key&keys == 0 {
			return by, fmt.Errorf("--by %q: %q is no key; want %s", list, name, keys)
		}
		by |= key
	}
	return by, nil
}

func (f *observeFlags) parseSchedule(cmd *cobra.Command, args []string) (schedule, error) {
	var s schedule
	var err error
	if len(args) > 2 {
		return s, fmt.Errorf("%q: want [interval [count]] and nothing after that", args[2])
	}
	if len(args) > 0 {
		if s.every, err = parseSpan("interval", args[0]); err != nil {
			return s, err
		}
	}
	if len(args) > 1 {
		if s.count, err = strconv.Atoi(args[1]); err != nil || s.count < 1 {
			return s, fmt.Errorf("count %q: want a number from 1", args[1])
		}
	}
	if cmd.Flags().Changed("duration") {
		s.length, err = parseSpan("--duration", f.duration)
	}
	return s, err
}

// spanMin is the shortest interval: below it, reading the counters takes longer.
const spanMin = time.Millisecond

// parseSpan reads seconds, with decimals or not, or what Go calls a duration: 0.5, 500ms, 1m30s.
func parseSpan(what, s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if seconds, floatErr := strconv.ParseFloat(s, 64); floatErr == nil {
		if !(math.Abs(seconds) < math.MaxInt64/1e9) { // not a number comes here too
			return 0, fmt.Errorf("%s %q: out of range", what, s)
		}
		d, err = time.Duration(seconds*1e9), nil
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s %q: want seconds, or a duration such as 500ms or 1m30s", what, s)
	case d < spanMin:
		return 0, fmt.Errorf("%s %q: want %v at least", what, s, spanMin)
	}
	return d, nil
}
