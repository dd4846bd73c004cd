package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
)

// forwardable are the signals that probe passes on: all that can be caught, but for those that
//
//   - tell probe of itself: faults (SIGSEGV and the like), SIGCHLD, SIGPIPE, SIGXCPU, SIGXFSZ;
//   - Go's runtime keeps: SIGURG, SIGPROF, SIGSTKFLT, and 32 to 34 as the C library does;
//   - stop whoever uses a terminal in the background: SIGTTIN, SIGTTOU.
//
// One that was ignored when probe began stays ignored, by the command too. Of that, Go's runtime lets SIGINT,
// SIGHUP, SIGTSTP and SIGCONT be known; the others it takes over before anyone can ask.
func forwardable() []os.Signal {
	all := []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGALRM, syscall.SIGTERM, syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGVTALRM,
		syscall.SIGWINCH, syscall.SIGIO, syscall.SIGPWR,
	}
	for s := syscall.Signal(35); s <= 64; s++ { // real-time signals
		all = append(all, s)
	}
	var out []os.Signal
	for _, s := range all {
		if !signal.Ignored(s) {
			out = append(out, s)
		}
	}
	return out
}

// forwarding passes signals on to the command.
type forwarding struct {
	pid, pidfd int
	signals    <-chan os.Signal
}

func (f forwarding) until(done <-chan struct{}) {
	for {
		select {
		case s := <-f.signals:
			f.pass(s.(syscall.Signal))
		case <-done:
			return
		}
	}
}

// pass sends a signal on where the command does not get it anyway. What a terminal makes of a key or of a
// new size, it sends to its whole foreground group, the command included. A shell's fg and bg send SIGCONT
// to the group as well, so that is sent to a command that still stands.
func (f forwarding) pass(s syscall.Signal) {
	switch s {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGWINCH:
		if !inForeground(f.pid) {
			f.send(s)
		}
	case syscall.SIGCONT:
		if st, err := procfs.PidStat(f.pid); err == nil && st.State == 'T' {
			f.send(s)
		}
	default:
		f.send(s)
	}
	if s == syscall.SIGTSTP && someoneContinues() {
		// What the signal does by default. Go does not give that back once it has been asked for.
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
	}
}

func (f forwarding) send(s syscall.Signal) {
	_ = unix.PidfdSendSignal(f.pidfd, s, nil, 0) // it may have ended already
}

// inForeground reports whether a process is in our terminal's foreground group. A command that made a group
// or session of its own is not.
func inForeground(pid int) bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return false
	}
	own, err := unix.Getpgid(pid)
	return err == nil && own == group
}

// someoneContinues reports whether our process group is not orphaned: whether one of our ancestors in it has a
// parent outside of it and inside the session, such as a shell with job control. Where it is orphaned, the
// kernel lets SIGTSTP stop nobody, for nobody would send SIGCONT.
func someoneContinues() bool {
	session, err := unix.Getsid(0)
	if err != nil {
		return false
	}
	for pid, group := os.Getpid(), unix.Getpgrp(); ; {
		st, err := procfs.PidStat(pid)
		if err != nil || st.PPID == 0 {
			return false
		}
		if s, err := unix.Getsid(st.PPID); err != nil || s != session {
			return false
		}
		if g, err := unix.Getpgid(st.PPID); err != nil || g != group {
			return err == nil
		}
		pid = st.PPID
	}
}
