//go:build amd64 || arm64

package privilege

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// What the handler writes of the two structures that the kernel put on its stack.
const (
	infoBytes    = 128 // siginfo_t, all of it
	contextBytes = 512 // ucontext_t, as far as the registers go
)

// self is the program that runs, also where its path leads elsewhere by now, or through directories that this
// user may not enter.
const self = "/proc/self/exe"

// Try carries the attempt out in a child process and returns what became of it. Its error is about the child:
// that it could not be started, or did not report.
func (a Attempt) Try(ctx context.Context) (Outcome, error) {
	o, err := a.try(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return o, fmt.Errorf("try %s in a child: %w", a.Name, err)
	}
	return o, nil
}

func (a Attempt) try(ctx context.Context) (Outcome, error) {
	if isChild() {
		return Outcome{}, errors.New("this is a child: the program does not call privilege.Child")
	}
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	from, to, err := os.Pipe()
	if err != nil {
		return Outcome{}, err
	}
	defer from.Close()
	cmd := exec.CommandContext(ctx, self, marker, a.Name)
	cmd.ExtraFiles = []*os.File{to}
	err = cmd.Start()
	to.Close()
	if err != nil {
		return Outcome{}, err
	}
	// A child writes less than a pipe holds, so it never waits for us.
	report, readErr := io.ReadAll(from)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return Outcome{}, err
	}
	if readErr != nil {
		return Outcome{}, readErr
	}
	o, err := parse(report)
	if err != nil {
		return Outcome{}, fmt.Errorf("%w (it ended with %s)", err, cmd.ProcessState)
	}
	return o, o.check(cmd.ProcessState.Sys().(syscall.WaitStatus))
}

// parse reads what a child has written.
func parse(report []byte) (Outcome, error) {
	var o Outcome
	var entry uint64
	r := bytes.NewReader(report)
	if binary.Read(r, binary.NativeEndian, &entry) != nil {
		return o, errors.New("no report: does the program call privilege.Child first?")
	}
	if r.Len() >= infoBytes+contextBytes {
		var info, uc [infoBytes + contextBytes]byte
		if _, err := io.ReadFull(r, info[:infoBytes]); err != nil {
			return o, err
		}
		if _, err := io.ReadFull(r, uc[:contextBytes]); err != nil {
			return o, err
		}
		o.Signal = unix.Signal(binary.NativeEndian.Uint32(info[0:]))
		o.Code = int32(binary.NativeEndian.Uint32(info[8:]))
		o.Addr = binary.NativeEndian.Uint64(info[16:])
		var pc uint64
		pc, o.Trap, o.Error = registers(uc[:contextBytes])
		o.Offset = int(pc - entry)
		o.Here = o.Addr == pc
	}
	switch err := binary.Read(r, binary.NativeEndian, &o.Value); {
	case err == nil && r.Len() == 0:
		o.Continued = o.Signal != 0
		return o, nil
	case errors.Is(err, io.EOF) && o.Signal != 0:
		return o, nil
	}
	return o, fmt.Errorf("report of %d bytes makes no sense", len(report))
}

// check compares what the child wrote with how it ended.
func (o Outcome) check(status syscall.WaitStatus) error {
	ended := status.Exited() && status.ExitStatus() == 0
	if o.Signal != 0 && !o.Continued {
		ended = status.Signaled() && status.Signal() == o.Signal
	}
	if !ended {
		return fmt.Errorf("reported signal %d, but ended with status %#x", o.Signal, int(status))
	}
	return nil
}
