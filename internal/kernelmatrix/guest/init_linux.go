package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/kernelmatrix"
)

func main() {
	switch {
	case os.Getpid() == 1:
		bootAndPowerOff()
	case len(os.Args) == 2 && os.Args[1] == "runner":
		if err := runJob(); err != nil {
			fmt.Println("guest:", err) // on the console, where the host keeps the last lines
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "guest: not process 1 of a test machine")
		os.Exit(2)
	}
}

// bootAndPowerOff is the life of process 1. A failure is printed: there is
// nobody to return it to, and process 1 must not exit (the kernel panics).
func bootAndPowerOff() {
	if err := setUp(); err != nil {
		fmt.Println("guest: set up:", err)
	} else if err := superviseRunner(); err != nil {
		fmt.Println("guest: runner:", err)
	}
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("guest: power off:", err)
	}
	time.Sleep(10 * time.Second) // the kernel may still be going down
}

// superviseRunner starts the runner and reaps every child, its own and the
// orphans that it inherits, until the runner has ended. Only process 1 can do
// that, and doing it here keeps wait4(-1) away from os/exec.
func superviseRunner() error {
	console, err := openConsole()
	if err != nil {
		return err
	}
	defer console.Close()
	fd := console.Fd()
	pid, err := syscall.ForkExec("/init", []string{"/init", "runner"}, &syscall.ProcAttr{
		Dir: "/", Env: stepEnv(), Files: []uintptr{fd, fd, fd},
	})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return os.NewSyscallError("wait4", err)
		case got == pid && status.ExitStatus() != 0:
			return fmt.Errorf("ended with wait status %#x", uint32(status))
		case got == pid:
			return nil
		}
	}
}

// stepEnv is the environment of every step. The directories of PATH exist and
// hold only what the host put there, so looking a program up fails cleanly.
func stepEnv() []string {
	return []string{"PATH=/bin:/usr/bin", "HOME=/root", "USER=root", "TMPDIR=/var/tmp", "TERM=dumb", "LANG=C.UTF-8"}
}

// openConsole opens the console in raw mode: no carriage returns added, no
// echo, and no controlling terminal for any step.
func openConsole() (*os.File, error) {
	console, err := os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	attr, err := unix.IoctlGetTermios(int(console.Fd()), unix.TCGETS)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("ioctl TCGETS", err), console.Close())
	}
	attr.Oflag &^= unix.OPOST
	attr.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(int(console.Fd()), unix.TCSETS, attr); err != nil {
		return nil, errors.Join(os.NewSyscallError("ioctl TCSETS", err), console.Close())
	}
	return console, nil
}

// exitOf describes an ended step for the host.
func exitOf(cmd *exec.Cmd, startErr error, elapsed time.Duration, limit bool) *kernelmatrix.Exit {
	exit := &kernelmatrix.Exit{Elapsed: elapsed, Limit: limit}
	switch state := cmd.ProcessState; {
	case state == nil:
		exit.Code, exit.State = 127, fmt.Sprint("did not start: ", startErr)
	default:
		exit.Code, exit.State = state.ExitCode(), state.String()
		if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			exit.Code = 128 + int(status.Signal())
		}
	}
	return exit
}
