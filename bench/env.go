//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const module = "github.com/ring3-go/ring3/bench"

// An Env is what the benchmarks share: a directory for what is built, the processor for the load, and when to end.
type Env struct {
	ctx context.Context // with it end the programs that were started
	dir string
	cpu int
}

func newEnv(ctx context.Context) (*Env, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	parent, err := filepath.Abs(os.TempDir())
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "ring3-bench-")
	if err != nil {
		return nil, err
	}
	e := &Env{ctx: ctx, dir: dir}
	// The last one: interrupts and other people's work like the first.
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			e.cpu = cpu
		}
	}
	return e, nil
}

// Close removes what was built.
func (e *Env) Close() error { return os.RemoveAll(e.dir) }

// command is a program that ends with the bench.
func (e *Env) command(path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(e.ctx, path, args...)
	cmd.WaitDelay = time.Second // for what it has started in turn, and holds its output
	return cmd
}

// notHere is the exit code of a program of this module where the machine has not what it needs.
const notHere = 3

// A missingError says why a subject cannot be measured here.
type missingError string

func (e missingError) Error() string { return string(e) }

// ended adds to the error of a program what it said.
func ended(err error, said string) error {
	said = strings.TrimSpace(said)
	exit := new(exec.ExitError)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == notHere:
		return missingError(said)
	case said == "":
		return err
	}
	return fmt.Errorf("%w: %s", err, said)
}

// number runs a program that prints one.
func (e *Env) number(path string, args ...string) (float64, error) {
	var said strings.Builder
	cmd := e.command(path, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err := ended(err, said.String()); err != nil {
		return 0, fmt.Errorf("%s %v: %w", filepath.Base(path), args, err)
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return 0, fmt.Errorf("%s %v: %w", filepath.Base(path), args, err)
	}
	return value, nil
}

// Command returns the path of one of this module's own helper programs, building it the first time.
func (e *Env) Command(name string) (string, error) {
	path := filepath.Join(e.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	build := e.command("go", "build", "-o", path, module+"/internal/"+name)
	// Without cgo, as programs in Go are released. What is built in between goes with the rest.
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+e.dir)
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return path, nil
}

// Load runs the load once, pinned, to its end.
func (e *Env) Load(args ...string) error {
	path, err := e.Command("load")
	if err != nil {
		return err
	}
	out, err := e.command(path, append(args, strconv.Itoa(e.cpu))...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("load %v: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}
