package reactor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/seccomp"
)

// forbiddenEnv makes the test binary a process under a filter of system calls.
const forbiddenEnv = "REACTOR_TEST_FORBIDDEN"

// filters are what such a process must not do, and what Auto has to say of it.
var filters = map[string]struct {
	call  int
	errno unix.Errno
	why   string
}{
	"forbidden":          {unix.SYS_IO_URING_SETUP, unix.EPERM, "seccomp"},
	"hidden":             {unix.SYS_IO_URING_SETUP, unix.ENOSYS, "without io_uring"},
	"no registration":    {unix.SYS_IO_URING_REGISTER, unix.EPERM, "io_uring_register"},
	"no submission":      {unix.SYS_IO_URING_ENTER, unix.EPERM, "io_uring_enter"},
	"submission missing": {unix.SYS_IO_URING_ENTER, unix.ENOSYS, "io_uring_enter"},
}

// forbidden is the process.
func forbidden(what string) {
	if err := serveForbidden(what); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveForbidden(what string) error {
	f := filters[what]
	if err := seccomp.Install(seccomp.Refuse(f.call, f.errno)); err != nil {
		return err
	}
	if _, err := New(Options{Driver: IOURing}); !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, f.errno) {
		return fmt.Errorf("the driver that was asked for: %v", err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.Contains(to, "io_uring") {
			return fmt.Errorf("a ring is left behind")
		}
	}
	l, err := New(Options{})
	if err != nil {
		return err
	}
	if d, why := l.Driver(); d != Epoll || !strings.Contains(why, "io_uring") || !strings.Contains(why, f.why) {
		return fmt.Errorf("driver %v, because %q; want %q", d, why, f.why)
	}
	s, err := l.Listen("tcp", "127.0.0.1:0", echoes)
	if err != nil {
		return err
	}
	ran := make(chan error, 1)
	go func() { ran <- l.Run() }()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprint(c, "hello")
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		return fmt.Errorf("%q, %v", b, err)
	}
	return errors.Join(l.Close(), <-ran)
}

func TestAutoFallsBackAndSaysWhy(t *testing.T) {
	for what := range filters {
		t.Run(what, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Env = append(os.Environ(), forbiddenEnv+"="+what)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestAutoTakesTheRingWhereItWorks(t *testing.T) {
	needDriver(t, IOURing)
	l := start(t, Options{})
	if d, why := l.Driver(); d != IOURing || why == "" {
		t.Errorf("%v, %q", d, why)
	}
	for _, driver := range []Driver{Epoll, IOURing} {
		if d, why := start(t, Options{Driver: driver}).Driver(); d != driver || why == "" {
			t.Errorf("%v, %q", d, why)
		}
	}
}
