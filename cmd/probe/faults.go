package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/pagefault"
)

func faultBackends() []string {
	return []string{
		string(pagefault.BackendFentry), string(pagefault.BackendTracepoint),
		string(pagefault.BackendPerf), string(pagefault.BackendProcfs),
	}
}

func newFaults(out *output) *cobra.Command {
	flags := observeFlags{
		keys:     pagefault.ByComm | pagefault.ByPID | pagefault.ByTID | pagefault.ByCgroup | pagefault.ByClass | pagefault.ByFile,
		backends: faultBackends(),
	}
	cmd := &cobra.Command{
		Use:   "faults [flags] [interval [count]]",
		Short: "Count page faults by class, time them, say whose they are",
		Long: `faults observes the page faults of the host, or of the process, thread, command or cgroup that is
given: how many of which class, how long the kernel took, who had them. With an interval (seconds, or a
duration such as 500ms) it reports each time, count times; without one it reports once, at the end.

Ctrl-C ends it with a last report. Over the whole host, the report says whether /proc/vmstat agrees.`,
		Example: `  probe faults                          the host, until Ctrl-C
  probe faults 1 5 -p 4242              a process, each second, five times
  probe faults --by file --duration 10  which files fault, in ten seconds
  probe faults --json 1 -c /web.slice   a cgroup, a record each second`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := flags.parse(cmd, args)
			if err != nil {
				return err
			}
			return observe(out, opts, func() (watch, error) { return watchFaults(out, opts) })
		},
	}
	flags.add(cmd)
	return cmd
}

// faultCounters are the host's, from /proc/vmstat.
type faultCounters struct {
	faults uint64 // pgfault
	major  uint64 // pgmajfault
}

// faultReading is a snapshot, and where the kernel's own counters stood then.
type faultReading struct {
	snap          *pagefault.Snapshot
	faults, major bracket
}

// faultWatch reports page faults.
type faultWatch struct {
	out     *output
	opts    observeOptions
	obs     *pagefault.Observer
	cgroups cgroupNames
	last    faultReading
}

func watchFaults(out *output, opts observeOptions) (*faultWatch, error) {
	obs, err := pagefault.Observe(pagefault.Options{
		Target: opts.target, By: opts.by, Backend: pagefault.Backend(opts.backend), Verbose: out.verbose,
	})
	if err != nil {
		return nil, err
	}
	w := &faultWatch{out: out, opts: opts, obs: obs}
	if w.last, err = w.read(); err != nil {
		obs.Close()
		return nil, err
	}
	var refused []refusal
	for _, r := range obs.Refused() {
		refused = append(refused, refusal{string(r.Backend), r.Err})
	}
	announce(out, opts, "page faults", string(obs.Backend()), refused)
	return w, nil
}

// compares reports whether the kernel's counters are a second witness: of the whole host, and not what the
// observer itself reads.
func (w *faultWatch) compares() bool {
	return w.opts.target.Host() && w.obs.Backend() != pagefault.BackendProcfs
}

func (w *faultWatch) read() (r faultReading, err error) {
	snapshot := func() error {
		r.snap, err = w.obs.Snapshot()
		return err
	}
	if !w.compares() {
		return r, snapshot()
	}
	before, after, err := bracketed(faultEvents, snapshot)
	r.faults = bracket{before.faults, after.faults}
	r.major = bracket{before.major, after.major}
	return r, err
}

func (w *faultWatch) report() error {
	now, err := w.read()
	if err != nil {
		return err
	}
	diff := now.snap.Sub(w.last.snap)
	w.cgroups.fresh = false
	rec := newFaultsRecord(diff, w.opts, w.obs.Backend(), w.last.snap.Time, now.snap.Time, &w.cgroups)
	if w.compares() {
		rec.VMStat = newVMStatRecord(diff, w.last, now)
	}
	w.last = now
	if w.out.json {
		return w.out.record(rec)
	}
	var text bytes.Buffer
	writeFaultsText(&page{w: &text, out: w.out}, rec, diff, w.opts)
	_, err = w.out.data.Write(text.Bytes())
	return err
}

func (w *faultWatch) close() { w.obs.Close() }
