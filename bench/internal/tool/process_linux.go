package tool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	patience = 30 * time.Second // for a tool to start
	poll     = time.Millisecond
)

// A Process is an observer that runs.
type Process struct {
	cmd    *exec.Cmd
	began  time.Time
	stdin  io.Closer // open, since a tool may take its end for an order to stop
	stderr bytes.Buffer
	lines  chan line
	exited chan error
}

type line struct {
	text string
	when time.Time
}

// Start runs argv.
func Start(argv ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(argv[0], argv[1:]...), lines: make(chan line, 1024), exited: make(chan error, 1)}
	p.cmd.Stderr = &p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	// A tool that is left alone observes the whole host for ever.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go p.live(stdout, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// live starts the process, stamps each line of output as it comes, then reaps the process. It keeps its thread
// meanwhile: the kernel sends the signal of the parent's death when the thread ends that started the child.
func (p *Process) live(stdout io.Reader, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.began = time.Now()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	for sc := bufio.NewScanner(stdout); sc.Scan(); {
		select {
		case p.lines <- line{sc.Text(), time.Now()}:
		default: // nobody waits for a tool's long report
		}
	}
	close(p.lines)
	p.exited <- p.cmd.Wait()
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Age is the time since exec.
func (p *Process) Age() time.Duration { return time.Since(p.began) }

// WaitLine waits until the process prints a line that contains text, and returns the time from exec.
func (p *Process) WaitLine(text string) (time.Duration, error) {
	timeout := time.After(patience)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				p.exited <- <-p.exited // until its last words are in stderr
				return 0, p.failed("ended without printing %q", text)
			}
			if strings.Contains(l.text, text) {
				return l.when.Sub(p.began), nil
			}
		case <-timeout:
			return 0, p.failed("did not print %q within %v", text, patience)
		}
	}
}

// WaitRunning waits until n of the process's programs have run, that is, until they are attached. It
// makes a switch and a page fault itself now and then, so that there is something to run for.
func (p *Process) WaitRunning(n int) error {
	for deadline := p.began.Add(patience); time.Now().Before(deadline); time.Sleep(poll) {
		if err := touch(); err != nil {
			return err
		}
		if p.Running() >= n {
			return nil
		}
		if p.done() {
			return p.failed("ended before its programs ran")
		}
	}
	return p.failed("%d programs did not run within %v", n, patience)
}

// Stir makes a switch and a page fault every millisecond or so, until stop is closed.
func Stir(stop <-chan struct{}) {
	for tick := time.NewTicker(poll); ; {
		select {
		case <-stop:
			tick.Stop()
			return
		case <-tick.C:
			touch()
		}
	}
}

func touch() error {
	mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	mem[0] = 1
	return os.NewSyscallError("munmap", unix.Munmap(mem))
}

func (p *Process) done() bool {
	select {
	case err := <-p.exited:
		p.exited <- err
		return true
	default:
		return false
	}
}

func (p *Process) failed(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if p.done() && p.stderr.Len() > 0 { // before that, the buffer is still written to
		what += ": " + strings.TrimSpace(p.stderr.String())
	}
	return fmt.Errorf("%s %s", p.cmd.Path, what)
}

// PeakRSS returns the most memory, in bytes, that the process had resident so far. It is the process's
// own since exec; rusage would begin with what the parent had.
func (p *Process) PeakRSS() (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmHWM: the process has ended")
}

// Stop kills the process and waits for it, so that nothing of it stays attached. It does not ask nicely:
// some tools take long over their last report, and nobody reads it.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	p.exited <- <-p.exited
	return nil
}
