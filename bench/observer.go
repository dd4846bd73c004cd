//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/bench/internal/tool"
)

// runqlatPrograms is how many programs of runqlat's run all the time: the wake-up's and the switch's. It
// attaches the switch's last.
const runqlatPrograms = 2

// An argvOf returns a tool's command line, having built it where it is ours.
type argvOf func(*Env) ([]string, error)

// observe is ring3's observer of switches or faults.
func observe(kind string) argvOf {
	return func(e *Env) ([]string, error) {
		path, err := e.Command("observe")
		return []string{path, kind}, err
	}
}

func command(argv ...string) argvOf {
	return func(*Env) ([]string, error) { return argv, nil }
}

// countByComm is the one-liner that everybody begins with.
func countByComm(probe string) argvOf {
	return command("bpftrace", "-e", probe+" { @[comm] = count(); }")
}

// withTool runs do while the tool runs.
func withTool(e *Env, argv argvOf, do func(*tool.Process) error) error {
	args, err := argv(e)
	if err != nil {
		return err
	}
	p, err := tool.Start(args...)
	if err != nil {
		return err
	}
	err = do(p)
	if stopErr := p.Stop(); err == nil {
		err = stopErr
	}
	return err
}

// firstLine waits until ring3's observer has counted something.
func firstLine(p *tool.Process) error {
	_, err := p.WaitLine(firstData)
	return err
}

// running waits until n of the tool's programs have run.
func running(n int) func(*tool.Process) error {
	return func(p *tool.Process) error { return p.WaitRunning(n) }
}

// prepareObservers turns on the kernel's accounting of eBPF run time, and gives bpftrace its tracepoints.
func prepareObservers(*Env) (undo func(), err error) {
	unmount, err := mountTracefs()
	if errors.Is(err, fs.ErrPermission) {
		return nil, missingError("needs root: " + err.Error())
	}
	if err != nil {
		return nil, err
	}
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		unmount()
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, missingError("needs CAP_SYS_ADMIN: turn on BPF_ENABLE_STATS: " + err.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("turn on BPF_ENABLE_STATS: %w", err)
	}
	return func() { stats.Close(); unmount() }, nil
}

// mountTracefs has the numbers of the classic tracepoints, which bpftrace reads, where nobody has
// mounted it.
func mountTracefs() (undo func(), err error) {
	const tracefs = "/sys/kernel/tracing"
	if _, err := os.Stat(tracefs + "/events"); err == nil {
		return func() {}, nil
	}
	if err := unix.Mount("tracefs", tracefs, "tracefs", 0, ""); err != nil {
		return nil, os.NewSyscallError("mount tracefs", err)
	}
	return func() { unix.Unmount(tracefs, 0) }, nil
}
