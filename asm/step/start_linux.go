package step

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm"
)

// reportMax bounds what a child may report; talkMax how much of its standard error is kept.
const (
	reportMax = 4 << 10
	talkMax   = 4 << 10
)

// A tracee is the thread of the child that is stepped. All its methods run on the thread that began it.
type tracee struct {
	cmd  *exec.Cmd
	talk *head
	stop func() bool // of what kills the child when the context ends

	tid    int
	alive  bool   // the thread has not been waited for to its end
	reaped bool   // the process has
	slide  uint64 // the child's addresses less this process's: it may be a position-independent executable

	calls  Calls
	own    string // the package of the stepped function, with a point behind it
	regs   registers
	sp     uint64 // stack pointer at the function's entry
	caller uint64 // where it returns to
}

// begin starts the child and brings it to the function's first instruction.
func begin(ctx context.Context, lesson string, f asm.Function, opts Options) (_ *tracee, err error) {
	if os.Getenv(variable) != "" {
		return nil, ErrNoChild
	}
	t := &tracee{calls: opts.Calls, talk: &head{max: talkMax}}
	report, err := t.start(ctx, lesson, f.Name, opts)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = t.explain(err)
		}
	}()
	tid, entry, err := parseReport(report)
	if err != nil {
		return nil, err
	}
	t.tid, t.alive = tid, true
	t.slide = entry - uint64(f.Entry)
	t.own = packageOf(t.symbol(entry).name)
	if err := t.awaitStop(); err != nil {
		return nil, err
	}
	// Beside the parent-death signal, which comes when our thread ends, not when the process does.
	if err := unix.PtraceSetOptions(t.tid, unix.PTRACE_O_EXITKILL); err != nil {
		return nil, os.NewSyscallError("ptrace(SETOPTIONS)", err)
	}
	if err := t.reach(entry); err != nil {
		return nil, err
	}
	t.sp = t.regs.sp()
	t.caller, err = t.returnAddress()
	return t, err
}

// explain ends a child that did not get as far as the function, and completes the error by what it said and,
// where a signal other than ours ended it, by that.
func (t *tracee) explain(err error) error {
	err = errors.Join(err, t.end())
	if !errors.Is(err, ErrNoChild) {
		return err
	}
	if state := t.cmd.ProcessState; state != nil {
		if status := state.Sys().(syscall.WaitStatus); status.Signaled() && status.Signal() != unix.SIGKILL {
			err = fmt.Errorf("%w by %s before it reported", ErrEnded, unix.SignalName(status.Signal()))
		}
	}
	if said := t.talk.said(); said != "" {
		err = fmt.Errorf("%w; it said: %s", err, said)
	}
	return err
}

// start runs the child and returns what it reports.
func (t *tracee) start(ctx context.Context, lesson, function string, opts Options) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	defer w.Close()
	t.cmd = exec.Command("/proc/self/exe", marker, lesson, function)
	t.cmd.Env = childEnv(os.Environ())
	t.cmd.ExtraFiles = []*os.File{w}
	t.cmd.Stdout, t.cmd.Stderr = opts.Stdout, t.talk
	t.cmd.WaitDelay = 5 * time.Second // for what it may have started, which has its output open
	// A group of its own, so that Ctrl-C comes to us alone.
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := t.cmd.Start(); err != nil {
		return "", err
	}
	t.stop = context.AfterFunc(ctx, func() { t.cmd.Process.Kill() })
	w.Close()
	line := make([]byte, 0, reportMax)
	for len(line) < cap(line) && !bytes.HasSuffix(line, []byte("\n")) {
		n, err := r.Read(line[len(line):cap(line)])
		line = line[:len(line)+n]
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", errors.Join(err, t.end())
		}
	}
	return string(line), nil
}

// awaitStop waits for the SIGSTOP that the child sends to itself once it is traced.
func (t *tracee) awaitStop() error {
	for {
		sig, err := t.wait()
		if err != nil || sig == unix.SIGSTOP {
			return err
		}
		if err := unix.PtraceCont(t.tid, int(sig)); err != nil {
			return os.NewSyscallError("ptrace(CONT)", err)
		}
	}
}

// reach runs the child to the function's entry. Signals on the way are its own affair.
func (t *tracee) reach(entry uint64) error {
	restore, err := t.plant(entry)
	if err != nil {
		return err
	}
	sig := syscall.Signal(0)
	for {
		if sig, err = t.resume(unix.PTRACE_CONT, sig); err != nil {
			return err
		}
		if sig == unix.SIGTRAP && t.regs.pc()-trapSize == entry {
			break
		}
	}
	t.regs.setPC(entry)
	return errors.Join(t.setRegisters(), restore())
}

// end kills the child, if it lives, and waits for it and for its thread: a traced thread that nobody waits for
// keeps the process from being reaped.
func (t *tracee) end() error {
	if t.reaped {
		return nil
	}
	t.reaped = true
	t.stop()
	if err := t.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the child: %w", err)
	}
	for t.alive {
		if _, err := t.wait(); err != nil && t.alive {
			return err
		}
	}
	var exit *exec.ExitError
	if err := t.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("wait for the child: %w", err)
	}
	return nil
}

// died is the error of a child that ended by itself, with the last that it said.
func (t *tracee) died(status unix.WaitStatus) error {
	how := fmt.Sprintf("with exit code %d", status.ExitStatus())
	if status.Signaled() {
		how = "by " + unix.SignalName(status.Signal())
	}
	err := fmt.Errorf("%w %s", ErrEnded, how)
	if endErr := t.end(); endErr != nil { // first, so that all it said is here
		return errors.Join(err, endErr)
	}
	if said := t.talk.said(); said != "" {
		err = fmt.Errorf("%w; it said: %s", err, said)
	}
	return err
}

// head keeps the beginning of what is written to it; the rest is dropped.
type head struct {
	mu  sync.Mutex
	max int
	buf bytes.Buffer
}

func (t *head) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p[:min(len(p), t.max-t.buf.Len())])
	return len(p), nil
}

// said is what there is, without the space around it.
func (t *head) said() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.buf.String())
}
