package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/ctxswitch"
	"github.com/ring3-go/ring3/pagefault"
)

type runOptions struct {
	file     string
	faults   string
	switches string
}

func newRun(out *output) *cobra.Command {
	var opts runOptions
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Run a command, then say where its page faults and context switches went",
		Long: `run starts a command and observes it and everything that it starts, from birth. When the command
ends, it prints how many page faults and context switches there were, of which class, how long they took, and
whether that equals what the kernel counted.

The command keeps standard input, output and error to itself; the report goes to standard error, or to
the file given with -o (- is standard output). probe passes signals on and exits as the command did: with its
status, 128+n where signal n ended it, 126 where it cannot be run and 127 where it is not found.

Without privilege, run still prints what the kernel counted, and says how to get the rest.`,
		Example: `  probe run -- go build ./...
  probe run -o report.txt -- make -j4
  probe run --json -o - -- ./server >server.log`,
		Args: func(cmd *cobra.Command, args []string) error {
			err := errors.Join(checkBackend(cmd, "fault-backend", faultBackends()), checkBackend(cmd, "switch-backend", switchBackends()))
			if err == nil && len(args) == 0 {
				err = errors.New("which command? probe run -- COMMAND [ARG...]")
			}
			if err != nil {
				return usageError{fmt.Errorf("run: %w", err)}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return runCommand(out, opts, args) },
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringVarP(&opts.file, "output", "o", "", "write the report to `FILE`; - is standard output")
	cmd.Flags().StringVar(&opts.faults, "fault-backend", "", "see page faults with this back end only: "+strings.Join(faultBackends(), ", "))
	cmd.Flags().StringVar(&opts.switches, "switch-backend", "", "see switches with this back end only: "+strings.Join(switchBackends(), ", "))
	return cmd
}

// runCommand observes, runs and reports. An error of the command itself is a commandExit.
func runCommand(out *output, opts runOptions, args []string) (err error) {
	if opts.file != "-" {
		out.data = out.talk // standard output is the command's alone
	}
	report, closeReport, err := openReport(out, opts.file)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := closeReport(); cerr != nil { // more than an exit code, which would say that all is told
			err = fmt.Errorf("write report: %w", cerr)
		}
	}()
	path, err := lookPath(args[0])
	if err != nil {
		return notStarted(out, report, args, err)
	}
	obs, err := observeChildren(out, opts)
	if err != nil {
		return err
	}
	defer obs.close()

	if err := obs.ready(); err != nil {
		return err
	}
	res, err := start(path, args)
	if err != nil {
		return notStarted(out, report, args, err)
	}
	r, err := obs.report(args, res)
	if err != nil {
		return err
	}
	if out.json {
		if opts.file != "" && !obs.witnessed() {
			p := &page{w: out.talk, out: out}
			p.noWitness(obs)
		}
		err = writeRecord(report, r)
	} else {
		err = writeRunText(report, out, r, res, obs)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if r.ExitCode != 0 {
		return commandExit(r.ExitCode)
	}
	return nil
}

// openReport returns where the report goes. It opens the file before the command runs, so that a mistake
// costs nothing.
func openReport(out *output, file string) (io.Writer, func() error, error) {
	target := out.talk
	closeFile := func() error { return nil }
	switch file {
	case "":
	case "-":
		target = out.data
	default:
		f, err := os.Create(file)
		if err != nil {
			return nil, nil, err
		}
		target, closeFile = f, f.Close
		if out.color == "auto" {
			out.colored = false
		}
	}
	if file == "" && out.color == "auto" {
		out.colored = os.Getenv("NO_COLOR") == "" && isTerminal(out.talk)
	}
	w := bufio.NewWriter(target)
	return w, func() error { return errors.Join(w.Flush(), closeFile()) }, nil
}

// notStarted reports a command that did not run, with the books of nothing: all zero, and closed.
func notStarted(out *output, report io.Writer, args []string, err error) error {
	code := exitNotExecutable
	if errors.Is(err, os.ErrNotExist) {
		code = exitNotFound
	}
	msg := fmt.Sprintf("%s: %v", args[0], err)
	if !out.json {
		fmt.Fprintf(out.talk, "probe: %s\n", clean(msg))
		return commandExit(code)
	}
	if err := writeRecord(report, errorRecord{Schema: "ring3/error/v1", Error: clean(msg), ExitCode: code}); err != nil {
		return err
	}
	r := emptyRunRecord(args)
	r.ExitCode = code
	r.Reconciled = true
	if err := writeRecord(report, r); err != nil {
		return err
	}
	return commandExit(code)
}

// observers are the two that watch a command.
type observers struct {
	faults     *pagefault.Observer
	switches   *ctxswitch.Observer
	faultSnap  *pagefault.Snapshot
	switchSnap *ctxswitch.Snapshot

	idleFaultCost  pagefault.Cost // before the command began: other tasks run the programs too
	idleSwitchCost ctxswitch.Cost
}

// ready notes what the programs have cost before the command begins.
func (o *observers) ready() error {
	faults, err := o.faults.Snapshot()
	if err != nil {
		return err
	}
	switches, err := o.switches.Snapshot()
	if err != nil {
		return err
	}
	o.idleFaultCost, o.idleSwitchCost = faults.Cost, switches.Cost
	return nil
}

func observeChildren(out *output, opts runOptions) (*observers, error) {
	o := &observers{}
	var faultErr, switchErr error
	var both sync.WaitGroup
	both.Go(func() {
		o.faults, faultErr = pagefault.Observe(pagefault.Options{
			Target: pagefault.Target{Children: true}, Backend: pagefault.Backend(opts.faults), Verbose: out.verbose,
		})
	})
	both.Go(func() {
		o.switches, switchErr = ctxswitch.Observe(ctxswitch.Options{
			Target: ctxswitch.Target{Children: true}, Backend: ctxswitch.Backend(opts.switches), Verbose: out.verbose,
		})
	})
	both.Wait()
	if err := errors.Join(faultErr, switchErr); err != nil {
		o.close()
		return nil, err
	}
	if out.verbose {
		for _, r := range o.faults.Refused() {
			fmt.Fprintf(out.talk, "probe: faults: not %s: %s\n", r.Backend, cleanLines(r.Err.Error()))
		}
		for _, r := range o.switches.Refused() {
			fmt.Fprintf(out.talk, "probe: switches: not %s: %s\n", r.Backend, cleanLines(r.Err.Error()))
		}
	}
	return o, nil
}

// report takes both sides of the books. What the command left behind runs on meanwhile: where there is such,
// it looks for a moment at which the kernel says the same before and after and the books close, and waits a
// little for one, since a process on its way to sleep may have counted what it has not shown yet.
func (o *observers) report(args []string, res *result) (*runRecord, error) {
	const tries, pause = 10, 10 * time.Millisecond
	for try := 1; ; try++ {
		if err := o.snapshot(res); err != nil {
			return nil, err
		}
		r := newRunRecord(args, res, o)
		if res.left == 0 || try == tries {
			return r, nil
		}
		before := res.kernel
		if err := res.account(); err != nil {
			return nil, err
		}
		if res.kernel == before && (r.Reconciled || !o.witnessed()) {
			return r, nil
		}
		time.Sleep(pause)
	}
}

// snapshot reads both. Where there is no eBPF, what they say is what the kernel counted, which the
// result of the run has already, to the unit.
func (o *observers) snapshot(res *result) (err error) {
	if o.faultSnap, err = o.faults.Snapshot(); err != nil {
		return err
	}
	if o.switchSnap, err = o.switches.Snapshot(); err != nil {
		return err
	}
	if o.faults.Backend() == pagefault.BackendProcfs {
		o.faultSnap.Minor, o.faultSnap.Major = res.kernel.minor, res.kernel.major
	}
	if o.switches.Backend() == ctxswitch.BackendProcfs {
		o.switchSnap.Voluntary, o.switchSnap.Involuntary = res.kernel.voluntary, res.kernel.involuntary
	}
	return nil
}

// witnessed reports whether both observers saw events, rather than repeat the kernel's counters.
func (o *observers) witnessed() bool {
	return o.faults.Backend() != pagefault.BackendProcfs && o.switches.Backend() != ctxswitch.BackendProcfs
}

func (o *observers) close() {
	if o.faults != nil {
		o.faults.Close()
	}
	if o.switches != nil {
		o.switches.Close()
	}
}
