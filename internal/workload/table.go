//go:build linux && (amd64 || arm64)

package workload

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
)

// A body is the part of a workload whose counts are known. It runs once, on the
// first thread of the process.
type body func(r *run) error

// A workload is one row of the table.
type workload struct {
	name   string
	params string // names of the arguments, the optional ones in brackets
	counts string // what the kernel shows of the body, in a line

	// prepare checks the arguments and does what should not count.
	prepare func(args []string) (body, error)
}

// table lists every workload. N is a number of bytes such as 4096 or 128MiB,
// rounded up to whole pages; P stands for the pages in it.
func table() []workload {
	return []workload{
		{"true", "", "nothing", prepareTrue},

		{"touch", "N", "P minor faults", prepareTouch},
		{"read-zero", "N", "P minor faults on read, P on write (0 without zero page)", prepareReadZero},
		{"fork-cow", "N", "P minor faults, and P in a forked child", prepareForkCow},
		{"file-map", "PATH|temp N", "shared and private: 1 to P faults on read, P on write", prepareFileMap},
		{"shm", "N [memfd|anon]", "P minor faults", prepareShm},
		{"huge", "N [show]", "a minor fault a huge page, or P", prepareHuge},
		{"populate", "N", "P minor faults without an exception", preparePopulate},
		{"pvw", "N", "P minor faults without an exception", preparePvw},
		{"failed-exec", "N", "2P minor faults without an exception, after an execve that failed", prepareFailedExec},
		{"userfault", "N", "P faults, each handled twice", prepareUserfault},
		{"failed", "N", "N exceptions, no fault counted", prepareFailed},

		{"futex-pingpong", "THREADS ROUNDS", "a voluntary switch a thread and round", prepareFutexPingPong},
		{"pipe-pingpong", "ROUNDS", "a voluntary switch a process and round", preparePipePingPong},
		{"yield", "N", "up to 2N involuntary switches", prepareYield},
		{"spin-pair", "MS", "involuntary switches, one a time slice", prepareSpinPair},
		{"sleep", "MS", "1 voluntary switch", prepareSleep},
		{"block", "read|futex|epoll_wait|poll|wait4|nanosleep", "1 voluntary switch in that system call", prepareBlock},

		{"forkbomb", "N [BATCH]", "N children", prepareForkbomb},
		{"execs", "N", "N children that execute a program", prepareExecs},
		{"threads", "N", "N threads that end", prepareThreads},
		{"orphan", "MS", "a child that outlives the process", prepareOrphan},
		{"kill-self", "SIGNAL", "death by that signal", prepareKillSelf},
		{"segv", "", "death by SIGSEGV", prepareSegv},
		{"rename", "HEX [eof]", "another command name, then 1 MiB touched", prepareRename},
	}
}

// find returns the workload of that name, prepared.
func find(name string, args []string) (body, error) {
	for _, w := range table() {
		if w.name != name {
			continue
		}
		params := strings.Fields(w.params)
		required := len(params) - strings.Count(w.params, "[")
		if len(args) < required || len(args) > len(params) {
			return nil, fmt.Errorf("usage: %s %s", w.name, w.params)
		}
		b, err := w.prepare(args)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("no workload named %q", name)
}

// usage prints the table and the options.
func usage(fs *flag.FlagSet) {
	out := fs.Output()
	fmt.Fprint(out, "usage: work [options] NAME [ARGS]\n\noptions:\n")
	fs.PrintDefaults()
	fmt.Fprint(out, "\nworkloads, and what the kernel counts (N bytes are P pages):\n")
	for _, w := range table() {
		fmt.Fprintf(out, "  %s\n\t%s\n", strings.TrimSpace(w.name+" "+w.params), w.counts)
	}
}

// sizeMax keeps a mistyped size from asking for more than an address space.
const sizeMax = 1 << 40

// parseSize reads a number of bytes, such as 4096, 64KiB, 4MiB or 1GiB.
func parseSize(s string) (uintptr, error) {
	digits, shift := s, 0
	for suffix, bits := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			digits, shift = rest, bits
		}
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("size %q: want bytes, or a number with KiB, MiB or GiB", s)
	}
	if n == 0 || n > sizeMax>>shift {
		return 0, fmt.Errorf("size %q: want 1 to %d bytes", s, sizeMax)
	}
	return uintptr(n << shift), nil
}

// parsePages reads a number of bytes and rounds it up to whole pages.
func parsePages(s string) (uintptr, error) {
	n, err := parseSize(s)
	if err != nil {
		return 0, err
	}
	return roundUp(n, pageSize()), nil
}

// roundUp returns the next multiple of unit, a power of two.
func roundUp(n, unit uintptr) uintptr { return (n + unit - 1) &^ (unit - 1) }

// parseCount reads a whole number from 1 to limit.
func parseCount(what, s string, limit int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > limit {
		return 0, fmt.Errorf("%s %q: want a number from 1 to %d", what, s, limit)
	}
	return n, nil
}
