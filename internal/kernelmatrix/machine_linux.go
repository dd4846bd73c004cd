package kernelmatrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// silenceLimit is the silence that a machine is allowed. It boots talking and
// then sends a beat every few seconds; the rest is for hosts under load, and
// for unpacking a large image on an emulated processor.
const silenceLimit = 90 * time.Second

// Why the host ended a machine.
var (
	errSilent = errors.New("it fell silent")
	errLimit  = errors.New("it ran out of time")
)

// childAttr is for processes that must not outlive this one, however it ends.
// It takes a locked thread: the kernel ties the signal to the thread.
// A group of its own keeps the terminal's Ctrl-C away; we end it ourselves.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// A machine is one boot of a kernel.
type machine struct {
	kernel    CachedKernel
	initramfs string
	disk      string
	memory    int64         // MiB
	limit     time.Duration // of the boot, and of each part of the job
	silence   time.Duration // how long it may print nothing
}

// qemu returns the emulator's command line.
func (m machine) qemu() (program string, args []string) {
	console := "ttyS0"
	// QEMU 7.2 sometimes leaves garbage in RFLAGS when CMPXCHG16B is emulated
	// on a busy host. The kernel's allocator uses it where CPUID has it, and
	// every fourth boot died of that; without it, none.
	program, args = "qemu-system-x86_64", []string{"-M", "q35", "-cpu", "max,-cx16"}
	if m.kernel.Arch == "arm64" {
		console = "ttyAMA0"
		program, args = "qemu-system-aarch64", []string{"-M", "virt", "-cpu", "max"}
	}
	// With a host thread for each processor it also runs, now and then, what the
	// kernel has just taken out of its own code again: attaching to a tracepoint
	// writes there. On amd64 that is a breakpoint, and one thread for both does
	// not. On arm64 a tracepoint was silent for a whole run once; that this was
	// the reason is a guess.
	args = append(args, "-accel", "tcg,thread=single")
	return program, append(args, "-m", strconv.FormatInt(m.memory, 10), "-smp", "2",
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", m.kernel.Image, "-initrd", m.initramfs,
		// Every kernel of the matrix has this device's driver, and ext4, in itself and not in a module. What is
		// written goes to a file without a name in TMPDIR.
		"-drive", "if=none,id=disk,format=raw,snapshot=on,cache=unsafe,file="+strings.ReplaceAll(m.disk, ",", ",,"),
		"-device", "nvme,drive=disk,serial=ring3",
		// An oops that kills one test is a finding, so that it ends the
		// machine; panic=-1 restarts at once, which -no-reboot makes an exit.
		"-append", "console="+console+" oops=panic panic=-1 tsc=reliable nvme.poll_queues=1")
}

// run boots the machine and gives its console to read until it is switched
// off, ends by itself, or is ended: by ctx, by silence or by its limit, which
// begins anew when read calls progress. The error says which; it is nil where
// the machine ended by itself.
func (m machine) run(ctx context.Context, read func(console io.Reader, progress func()) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	program, args := m.qemu()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = childAttr()
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(m.disk)) // where it has what is written to the disk
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout

	runtime.LockOSThread() // until the emulator has ended; see childAttr
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the emulator: %w", err)
	}
	silence := time.AfterFunc(m.silence, func() { cancel(errSilent) })
	defer silence.Stop()
	limit := time.AfterFunc(m.limit, func() { cancel(errLimit) })
	defer limit.Stop()
	readErr := read(&watchedReader{out, silence, m.silence}, func() { limit.Reset(m.limit) })
	if readErr != nil {
		cancel(readErr)
	}
	err = cmd.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return errors.Join(readErr, err)
}

// A watchedReader restarts a timer whenever something was read.
type watchedReader struct {
	r       io.Reader
	timer   *time.Timer
	timeout time.Duration
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.timer.Reset(w.timeout)
	}
	return n, err
}
