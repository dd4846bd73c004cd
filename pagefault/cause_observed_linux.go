//go:build amd64 || arm64

package pagefault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// unresolved says that a fault of the cause comes to nothing.
func (c Cause) unresolved() bool { return c.Each.Failed+c.Each.FixedUp > 0 }

// RunObserved causes the faults in a child process while an observer watches it, and returns both sides' books. Of
// the observer's options, Target and By are set here. Errors are those of [Cause.Run] and [Observe].
func (c Cause) RunObserved(ctx context.Context, opts CauseOptions, observe Options) (*Observed, error) {
	opts, err := opts.validate()
	if err == nil && c.prepare == nil {
		err = os.ErrInvalid // none of [Causes]
	}
	if err != nil {
		return nil, fmt.Errorf("cause %q: %w", c.Name, err)
	}
	o, err := c.observed(ctx, opts, observe)
	var cannot *CannotHereError
	if err != nil && !errors.As(err, &cannot) {
		return nil, fmt.Errorf("cause %q: %w", c.Name, err)
	}
	return o, err
}

func (c Cause) observed(ctx context.Context, opts CauseOptions, observe Options) (*Observed, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	conn, err := unixConn(os.NewFile(uintptr(pair[0]), "ours"))
	if err != nil {
		theirs.Close()
		return nil, err
	}
	defer conn.Close()
	opts.gate = reportFD
	cmd := exec.CommandContext(ctx, exe, append([]string{childMarker}, c.childArgs(opts)...)...)
	cmd.ExtraFiles = []*os.File{theirs}
	// It may have changed the machine, and undoes that when it is let go; a child that stands still is killed all the same.
	cmd.Cancel, cmd.WaitDelay = conn.Close, 10*time.Second
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, err
	}
	o, err := c.watch(conn, cmd.Process.Pid, observe)
	conn.Close() // where the child still waits it goes on now, and ends
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if exit := (*exec.ExitError)(nil); err == nil && errors.As(waitErr, &exit) {
		err = waitErr
	}
	return o, err
}

// watch observes the child between its gates and reads its report.
func (c Cause) watch(child io.ReadWriter, pid int, observe Options) (*Observed, error) {
	// A report begins with a brace or a letter, and a gate with a zero.
	gate := make([]byte, 1)
	if _, err := io.ReadFull(child, gate); err != nil {
		return nil, fmt.Errorf("the child says nothing: does the program call pagefault.Child first? (%w)", err)
	}
	if gate[0] != 0 {
		rest, err := io.ReadAll(child)
		if err != nil {
			return nil, err
		}
		_, err = c.parse(append(gate, rest...))
		return nil, err
	}
	observe.Target, observe.By = Target{PID: pid}, ByTID|ByClass
	obs, err := Observe(observe)
	if err != nil {
		return nil, err
	}
	defer obs.Close()
	if err := pass(child); err != nil { // it has waited once
		return nil, err
	}
	before, err := obs.Snapshot()
	if err != nil {
		return nil, err
	}
	if err := pass(child); err != nil { // it has caused its faults
		return nil, err
	}
	after, err := obs.Snapshot()
	if err != nil {
		return nil, err
	}
	if _, err := child.Write(gate); err != nil {
		return nil, err
	}
	report, err := io.ReadAll(child)
	if err != nil {
		return nil, err
	}
	done, err := c.parse(report)
	if err != nil {
		return nil, err
	}
	return c.books(done, obs.Backend(), after.Sub(before)), nil
}

// pass lets the child through its gate, to the next.
func pass(child io.ReadWriter) error {
	gate := make([]byte, 1)
	if _, err := child.Write(gate); err != nil {
		return err
	}
	_, err := io.ReadFull(child, gate)
	return err
}

// books takes from a snapshot what is of the thread that took the faults, without the one more.
func (c Cause) books(done *Caused, backend Backend, s *Snapshot) *Observed {
	o := &Observed{Caused: *done, Backend: backend, Lost: s.Lost}
	one := c.unresolved()
	for _, w := range s.Who {
		if w.Key.TID != done.TID {
			continue
		}
		k := w.Key.Class
		if one && k.Event != EventFailed && k.Event != EventFixedUp {
			one = false
			if w.Count--; w.Count == 0 {
				continue
			}
		}
		switch {
		case k.Event == EventFailed:
			o.Seen.Failed += int64(w.Count)
		case k.Event == EventFixedUp:
			o.Seen.FixedUp += int64(w.Count)
		default:
			o.Seen.Major += int64(w.Major)
			o.Seen.Minor += int64(w.Count - w.Major)
		}
		o.Who = append(o.Who, w)
	}
	if backend == BackendProcfs { // it knows no threads, and no classes
		o.Seen = Counts{}
	}
	return o
}
