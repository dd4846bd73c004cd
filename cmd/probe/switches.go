package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/ctxswitch"
)

func switchBackends() []string {
	return []string{string(ctxswitch.BackendTracepoint), string(ctxswitch.BackendProcfs)}
}

func newSwitches(out *output) *cobra.Command {
	flags := observeFlags{
		keys:     ctxswitch.ByComm | ctxswitch.ByPID | ctxswitch.ByTID | ctxswitch.ByCgroup | ctxswitch.BySyscall,
		backends: switchBackends(),
	}
	cmd := &cobra.Command{
		Use:   "switches [flags] [interval [count]]",
		Short: "Count context switches, time what lies between, say who preempted whom",
		Long: `switches observes the context switches of the host, or of the process, thread, command or cgroup that is
given: voluntary or not, how long threads waited for a CPU, ran, and were blocked in which system call, and who
preempted whom. With an interval (seconds, or a duration such as 500ms) it reports each time, count times;
without one it reports once, at the end.

Ctrl-C ends it with a last report. Over the whole host, the report says whether /proc/stat agrees.`,
		Example: `  probe switches                            the host, until Ctrl-C
  probe switches 1 5 -p 4242                a process, each second, five times
  probe switches --by comm --duration 10    by command, ten seconds
  probe switches --by comm,syscall --hist   where commands block, with distributions`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := flags.parse(cmd, args)
			if err != nil {
				return err
			}
			return observe(out, opts, func() (watch, error) { return watchSwitches(out, opts) })
		},
	}
	flags.add(cmd)
	return cmd
}

// switchReading is a snapshot, and where the kernel's own counter stood then.
type switchReading struct {
	snap *ctxswitch.Snapshot
	ctxt bracket // /proc/stat
}

// switchWatch reports context switches.
type switchWatch struct {
	out     *output
	opts    observeOptions
	obs     *ctxswitch.Observer
	cgroups cgroupNames
	last    switchReading
}

func watchSwitches(out *output, opts observeOptions) (*switchWatch, error) {
	obs, err := ctxswitch.Observe(ctxswitch.Options{
		Target: opts.target, By: opts.by, Preemptors: true, Backend: ctxswitch.Backend(opts.backend), Verbose: out.verbose,
	})
	if err != nil {
		return nil, err
	}
	w := &switchWatch{out: out, opts: opts, obs: obs}
	if w.last, err = w.read(); err != nil {
		obs.Close()
		return nil, err
	}
	var refused []refusal
	for _, r := range obs.Refused() {
		refused = append(refused, refusal{string(r.Backend), r.Err})
	}
	announce(out, opts, "context switches", string(obs.Backend()), refused)
	return w, nil
}

// compares reports whether the kernel's counter is a second witness: of the whole host, and not what the
// observer itself reads.
func (w *switchWatch) compares() bool {
	return w.opts.target.Host() && w.obs.Backend() != ctxswitch.BackendProcfs
}

func (w *switchWatch) read() (r switchReading, err error) {
	snapshot := func() error {
		r.snap, err = w.obs.Snapshot()
		return err
	}
	if !w.compares() {
		return r, snapshot()
	}
	r.ctxt.before, r.ctxt.after, err = bracketed(contextSwitches, snapshot)
	return r, err
}

func (w *switchWatch) report() error {
	now, err := w.read()
	if err != nil {
		return err
	}
	diff := now.snap.Sub(w.last.snap)
	w.cgroups.fresh = false
	rec := newSwitchesRecord(diff, w.opts, w.obs.Backend(), w.last.snap.Time, now.snap.Time, &w.cgroups)
	if w.compares() {
		rec.Ctxt = newCtxtRecord(diff, w.last, now)
	}
	w.last = now
	if w.out.json {
		return w.out.record(rec)
	}
	var text bytes.Buffer
	writeSwitchesText(&page{w: &text, out: w.out}, rec, diff, w.opts)
	_, err = w.out.data.Write(text.Bytes())
	return err
}

func (w *switchWatch) close() { w.obs.Close() }
