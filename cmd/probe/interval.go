package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// A schedule says when reports are due.
type schedule struct {
	every  time.Duration // 0: one report, at the end
	count  int           // of reports; 0: no limit
	length time.Duration // of the whole; 0: no limit
}

// follow calls report at each moment that is due and, when ctx ends before, once more for the interval
// that was under way.
func (s schedule) follow(ctx context.Context, report func() error) error {
	began := time.Now()
	for n := 1; ; n++ {
		due, last := s.next(time.Since(began))
		ended := !sleep(ctx, due-time.Since(began))
		if ended && context.Cause(ctx) == errReaderGone {
			return nil
		}
		if err := report(); err != nil || ended || last || n == s.count {
			return err
		}
	}
}

// next is when the first report after now is due, both counted from the beginning, and whether time is up
// then. A report that took longer than an interval makes the next one longer, and no later than it should be.
func (s schedule) next(now time.Duration) (due time.Duration, last bool) {
	due = math.MaxInt64
	if s.every > 0 && now < math.MaxInt64-s.every {
		due = (now/s.every + 1) * s.every
	}
	if s.length > 0 && s.length <= due {
		return s.length, true
	}
	return due, false
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// What ends an observation besides a signal.
var (
	errTargetEnded = errors.New("the process has ended")
	errReaderGone  = errors.New("nobody reads the output")
)

// A watch is an observer at work.
type watch interface {
	// report reads the counters and prints what they grew by since the last report, or since the watch began.
	report() error
	close()
}

// observe opens a watch and has it report as scheduled. SIGINT, SIGTERM and the end of the process under
// observation bring the last report.
func observe(out *output, opts observeOptions, open func() (watch, error)) error {
	pidfd, err := openTarget(opts.target)
	if err != nil {
		return err
	}
	defer closeTarget(pidfd)
	// A shell starts what it puts in the background with SIGINT ignored; here it is meant nevertheless.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	broken := make(chan os.Signal, 1) // so that a write fails where it would have killed us
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)

	w, err := open()
	if err != nil {
		return err
	}
	defer w.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	unwatch, err := watchEnd(cancel, pidfd, out.data)
	if err != nil {
		return err
	}
	defer unwatch()
	context.AfterFunc(ctx, stop) // so that a second Ctrl-C ends a report that hangs

	err = opts.schedule.follow(ctx, w.report)
	switch {
	case errors.Is(err, syscall.EPIPE):
		return nil
	case err == nil && context.Cause(ctx) == errTargetEnded && !out.json:
		fmt.Fprintf(out.talk, "probe: %v: %v\n", opts.target, errTargetEnded)
	}
	return err
}

// announce says, once, what is going on: that it has begun where nothing else shows it, and why it shows
// less than it could.
func announce(out *output, opts observeOptions, what, backend string, refused []refusal) {
	if out.verbose {
		for _, r := range refused {
			fmt.Fprintf(out.talk, "probe: %s: not %s: %s\n", what, r.backend, cleanLines(r.err.Error()))
		}
	}
	if out.json && !out.verbose {
		return
	}
	if backend == "procfs" && len(refused) > 0 {
		fmt.Fprintf(out.talk, "probe: no more than /proc counts: %s\n", cleanLines(refused[len(refused)-1].err.Error()))
		fmt.Fprintln(out.talk, "probe: to see more: sudo, or setcap cap_bpf,cap_perfmon+ep on the probe binary")
	}
	if opts.schedule.every == 0 || out.verbose {
		end := "until Ctrl-C"
		if opts.schedule.length > 0 {
			end = fmt.Sprintf("for %v, or until Ctrl-C", opts.schedule.length)
		}
		fmt.Fprintf(out.talk, "probe: observing %s, %s, %s\n", what, clean(opts.target.String()), end)
	}
}

// A refusal says why a better back end is not in use.
type refusal struct {
	backend string
	err     error
}

// A bracket is a counter of the kernel's, read before and after a snapshot: at the snapshot it stood in
// between.
type bracket struct{ before, after uint64 }

// growth is the least and the most that the counter can have grown by from one snapshot to the other.
func growth(from, to bracket) (low, high uint64) {
	return to.before - min(from.after, to.before), to.after - from.before
}

// bracketed takes a snapshot between two readings of counters.
func bracketed[T any](read func() (T, error), snapshot func() error) (before, after T, err error) {
	if before, err = read(); err != nil {
		return before, after, err
	}
	if err = snapshot(); err != nil {
		return before, after, err
	}
	after, err = read()
	return before, after, err
}
