package procfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Gone reports whether err says that the process or thread asked for does not
// exist (any more).
func Gone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// pidDir returns the /proc directory of a process.
func pidDir(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// taskDir returns the /proc directory of one thread of a process.
func taskDir(pid, tid int) string { return pidDir(pid) + "/task/" + strconv.Itoa(tid) }

// read reads a file of /proc or /sys and parses it. The kernel makes each of
// these files in one piece when it is first read, so however many reads it
// takes, the numbers in it are of one moment.
func read[T any](name string, parse func([]byte) (T, error)) (T, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		var none T
		return none, err
	}
	v, err := parse(b)
	if err != nil {
		return v, fmt.Errorf("parse %s: %w", name, err)
	}
	return v, nil
}

// readOptional is read for a file of the task directory dir that exists only
// in kernels built with config. It tells a missing file from a missing task.
func readOptional[T any](dir, file, config string, parse func([]byte) (T, error)) (T, error) {
	v, err := read(filepath.Join(dir, file), parse)
	if errors.Is(err, os.ErrNotExist) {
		if _, statErr := os.Stat(dir); statErr == nil {
			err = fmt.Errorf("read %s/%s: kernel without %s: %w", dir, file, config, errors.ErrUnsupported)
		}
	}
	return v, err
}

// parseUint parses a decimal counter.
func parseUint(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }

// parseID parses a process, thread or CPU number: decimal, in an int, not
// negative, without a sign.
func parseID(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}
