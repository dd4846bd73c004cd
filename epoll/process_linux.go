package epoll

import (
	"os"

	"golang.org/x/sys/unix"
)

// A Process is another process as a descriptor: [In] when it has ended. Unlike a number it cannot come to
// mean somebody else. Safe for concurrent use. Since Linux 5.3. Source: pidfd_open(2).
type Process struct{ descriptor }

// OpenProcess opens a process by its number, which only a parent can be sure of: the process may have ended
// and the number be another's. Errors: ESRCH; EINVAL for a thread that is not the first of its process.
func OpenProcess(pid int) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err == unix.EINVAL && pid > 0 { // before 5.10 there is no such flag, and nothing but Exit blocks
		fd, err = unix.PidfdOpen(pid, 0)
	}
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	return &Process{descriptor{fd: fd}}, nil
}

// Signal sends a signal. Errors: ESRCH where the process has been waited for; EPERM.
func (p *Process) Signal(sig unix.Signal) error {
	return p.use("pidfd_send_signal", func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
}

// Exit waits for a child and returns how it ended and what it used. It does not block: EAGAIN where the child
// has not ended. ECHILD where it is not a child of this process, or somebody else has waited.
// Since Linux 5.4. Source: waitid(2).
func (p *Process) Exit() (Exit, error) {
	var info unix.Siginfo
	var e Exit
	err := p.use("waitid", func(fd int) error {
		return unix.Waitid(unix.P_PIDFD, fd, &info, unix.WEXITED|unix.WNOHANG, &e.Usage)
	})
	if err != nil {
		return Exit{}, err
	}
	if info.Signo == 0 { // with WNOHANG the call succeeds and says nothing
		return Exit{}, os.NewSyscallError("waitid", unix.EAGAIN)
	}
	e.read(&info)
	return e, nil
}

// An Exit is how a process ended.
type Exit struct {
	PID    int
	UID    int         // real user
	Code   int         // what it gave to exit(2), 0 to 255; -1 where a signal ended it
	Signal unix.Signal // what ended it, or 0
	Core   bool        // it left a core file
	Usage  unix.Rusage // of the process and those of its children that it waited for
}
