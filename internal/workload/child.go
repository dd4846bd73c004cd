package workload

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// A Child is a workload in another process that stops before and after its body:
//
//	c, err := workload.Start(ctx, "touch", "4MiB") // running, body not begun
//	// attach to c.Cmd.Process.Pid
//	err = c.Release()                              // body begins
//	err = c.Finished()                             // body has ended, process still there
//	// read what was counted
//	report, err := c.Wait()                        // process gone
//
// It belongs to one goroutine.
type Child struct {
	// Cmd is the started command; after Wait its ProcessState has the usage
	// that the kernel gave the parent.
	Cmd *exec.Cmd

	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
	report *os.File
}

// Start runs a workload of this binary (see [Command]) and returns when it is
// ready. The end of ctx kills it.
func Start(ctx context.Context, args ...string) (*Child, error) {
	argv := Command(append([]string{"-wait", "-hold", "-report", "3"}, args...)...)
	c := &Child{Cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	c.Cmd.Stderr = &c.stderr
	if err := c.start(); err != nil {
		return nil, fmt.Errorf("starting workload %s: %w", strings.Join(args, " "), err)
	}
	if err := c.expect("ready\n"); err != nil {
		_, gone := c.Wait()
		return nil, fmt.Errorf("starting workload %s: %w", strings.Join(args, " "), errors.Join(err, gone))
	}
	return c, nil
}

// start makes the pipes and the process.
func (c *Child) start() error {
	stdin, err := c.Cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := c.Cmd.StdoutPipe()
	if err != nil {
		return err
	}
	report, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	c.Cmd.ExtraFiles = []*os.File{theirs} // descriptor 3
	if err := c.Cmd.Start(); err != nil {
		report.Close()
		return err
	}
	c.stdin, c.stdout, c.report = stdin, bufio.NewReader(stdout), report
	return nil
}

// expect reads the line that the workload says at a gate.
func (c *Child) expect(want string) error {
	line, err := c.stdout.ReadString('\n')
	if err != nil {
		return fmt.Errorf("waiting for %q: %w", want, err)
	}
	if line != want {
		return fmt.Errorf("waiting for %q: workload said %q", want, line)
	}
	return nil
}

// Release lets the body begin. Call it once.
func (c *Child) Release() error {
	if _, err := io.WriteString(c.stdin, "\n"); err != nil {
		return fmt.Errorf("releasing workload: %w", err)
	}
	return nil
}

// Finished returns when the body has ended. The error matches io.EOF where the
// process ended with it, as some workloads do.
func (c *Child) Finished() error { return c.expect("done\n") }

// Wait lets the process end, waits for it and returns what it reported. The error
// of a workload that failed or was killed wraps an *exec.ExitError and holds what
// it wrote to standard error.
func (c *Child) Wait() (*Report, error) {
	c.stdin.Close()
	defer c.report.Close()
	text, readErr := io.ReadAll(c.report)
	if err := c.Cmd.Wait(); err != nil {
		return nil, fmt.Errorf("workload: %w: %s", err, bytes.TrimSpace(c.stderr.Bytes()))
	}
	if readErr != nil {
		return nil, fmt.Errorf("reading report: %w", readErr)
	}
	report := new(Report)
	if err := json.Unmarshal(text, report); err != nil {
		return nil, fmt.Errorf("decoding report %q: %w", text, err)
	}
	return report, nil
}

// Stderr returns what the workload wrote to standard error, complete after Wait.
func (c *Child) Stderr() string { return c.stderr.String() }
