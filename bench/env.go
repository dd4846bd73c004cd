//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const module = "github.com/ring3-go/ring3/bench"

// An Env is what the benchmarks share: a directory for what is built, and the processor for the load.
type Env struct {
	dir string
	cpu int
}

func newEnv() (*Env, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	dir, err := os.MkdirTemp("", "ring3-bench-")
	if err != nil {
		return nil, err
	}
	e := &Env{dir: dir}
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

// Command returns the path of one of this module's own helper programs, building it the first time.
func (e *Env) Command(name string) (string, error) {
	path := filepath.Join(e.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	build := exec.Command("go", "build", "-o", path, module+"/internal/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as programs in Go are released
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
	out, err := exec.Command(path, append(args, strconv.Itoa(e.cpu))...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("load %v: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}
