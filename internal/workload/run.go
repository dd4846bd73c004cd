//go:build linux && (amd64 || arm64)

package workload

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Run runs one workload in this process: options, a name and its arguments, as
// on the command line of cmd/work. It returns the exit code: 0 done, 1 failed, 2
// wrong usage. Errors go to stderr. It changes the process for good (collector,
// affinity, signal handlers), so that the caller can only exit afterwards.
func Run(args []string) int {
	opts, rest, err := parseOptions(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		return complain(exitUsage, err)
	}
	// A collection would stop every thread, and the bodies block theirs
	// where the runtime cannot see it.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(math.MaxInt64)
	reserveThreads(2)

	b, err := find(rest[0], rest[1:])
	if err != nil {
		return complain(exitUsage, err)
	}
	r := &run{opts: opts, stderr: os.Stderr}
	r.report.Workload = rest[0]
	var failed error
	if err := onFirstThread(func() { failed = r.perform(b) }); err != nil {
		return complain(exitError, err)
	}
	if failed != nil {
		return complain(exitError, fmt.Errorf("%s: %w", rest[0], failed))
	}
	return exitDone
}

func complain(code int, err error) int {
	fmt.Fprintln(os.Stderr, "work:", err)
	return code
}

// A run is one execution of a body. It belongs to the first thread.
type run struct {
	opts   options
	stderr io.Writer
	report Report
}

// perform takes a body through its gates and writes the report.
func (r *run) perform(b body) error {
	if r.opts.wait {
		if err := r.awaitRelease(); err != nil {
			return err
		}
	}
	if err := maskPreemption(); err != nil {
		return err
	}
	thread, process, children := usage3()
	err := b(r)
	threadEnd, processEnd, childrenEnd := usage3()
	if err != nil {
		return err
	}
	r.report.Thread = threadEnd.minus(thread)
	r.report.Process = processEnd.minus(process)
	r.report.Children = childrenEnd.minus(children)
	r.report.Total = processEnd
	if err := r.writeReport(); err != nil {
		return err
	}
	if r.opts.hold {
		if err := say("done\n"); err != nil {
			return err
		}
		return awaitEOF()
	}
	return nil
}

// phase runs a part of the body and puts its counts into the report.
//
// Like everything that counts, it is nosplit: a function prologue is where the
// runtime stops a goroutine that has run for 10 ms, and stopping one that is
// locked to its thread means a switch. A part that makes its own calls before
// the work and none after it is measured without that noise.
//
//go:nosplit
func (r *run) phase(name string, part func()) {
	before := usageOf(unix.RUSAGE_THREAD)
	part()
	r.addPhase(name, before, usageOf(unix.RUSAGE_THREAD))
}

func (r *run) addPhase(name string, before, after Counts) {
	r.report.Phases = append(r.report.Phases, Phase{name, after.minus(before)})
}

func (r *run) writeReport() error {
	if r.opts.report < 0 {
		return nil
	}
	line, err := json.Marshal(&r.report)
	if err != nil {
		return fmt.Errorf("encoding report: %w", err)
	}
	return writeAll(r.opts.report, append(line, '\n'))
}

// awaitRelease is the gate before the body.
func (r *run) awaitRelease() error {
	if err := say("ready\n"); err != nil {
		return err
	}
	var c [1]byte
	for c[0] != '\n' {
		n, err := readByte(&c)
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("standard input ended before the release")
		}
	}
	return nil
}

func awaitEOF() error {
	var c [1]byte
	for {
		if n, err := readByte(&c); n == 0 || err != nil {
			return err
		}
	}
}

// readByte reads one byte of standard input, without a buffer: what follows
// belongs to the body or to the next gate.
func readByte(c *[1]byte) (int, error) {
	for {
		n, err := unix.Read(0, c[:])
		if err != unix.EINTR {
			return n, os.NewSyscallError("read", err)
		}
	}
}

func say(line string) error { return writeAll(1, []byte(line)) }

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("write", err)
		}
		b = b[n:]
	}
	return nil
}

// usageOf reads the counters of RUSAGE_THREAD, RUSAGE_SELF or RUSAGE_CHILDREN.
// It cannot fail: who is one of these and the structure is ours.
//
//go:nosplit
func usageOf(who int) Counts {
	var u unix.Rusage
	unix.RawSyscall6(unix.SYS_GETRUSAGE, uintptr(who), uintptr(unsafe.Pointer(&u)), 0, 0, 0, 0)
	return Counts{u.Minflt, u.Majflt, u.Nvcsw, u.Nivcsw}
}

// usage3 reads all three, so that the two readings around a body are alike.
//
//go:nosplit
func usage3() (thread, process, children Counts) {
	thread = usageOf(unix.RUSAGE_THREAD)
	process = usageOf(unix.RUSAGE_SELF)
	children = usageOf(unix.RUSAGE_CHILDREN)
	return thread, process, children
}

// reserveThreads lets n threads of the body block in raw system calls while the
// runtime still has a processor for everyone else: a raw call keeps its own.
func reserveThreads(n int) {
	// Setting it, even to what it is, also ends the runtime's own adjusting to
	// the cgroup, which would stop the threads in the middle of a body.
	runtime.GOMAXPROCS(max(n+2, runtime.GOMAXPROCS(0)))
}
