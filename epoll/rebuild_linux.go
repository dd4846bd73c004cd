package epoll

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rebuild puts a new epoll instance in the place of the old one, with the registrations that the table has.
// It is the only way to be rid of one whose descriptor is closed and whose file is open, because epoll_ctl
// names files by descriptor. The caller holds p.mu and is the only one who waits.
//
// What is registered, and which one-shots have fired, is the kernel's word, from /proc: a descriptor that was
// closed without a word may be another file's by now, and a Modify may have crossed the event on its way.
func (p *Poller) rebuild() error {
	info, err := os.Open("/proc/self/fdinfo/" + strconv.Itoa(p.epfd))
	if err != nil {
		return err
	}
	defer info.Close()
	registered, err := parseSet(info)
	if err != nil {
		return err
	}
	epfd, err := newSet(p.wakefd)
	if err != nil {
		return err
	}
	defer unix.Close(epfd)
	if err := copyBusyPoll(epfd, p.epfd); err != nil {
		return err
	}
	for _, r := range registered {
		s := p.table.get(r.token)
		if s == nil || int(s.fd) != r.fd {
			continue // a ghost; or the wake-up, which is in the new set already
		}
		err := control(epfd, unix.EPOLL_CTL_ADD, r.fd, r.events, r.token)
		if errors.Is(err, unix.EBADF) {
			continue // closed, and kept by a duplicate; the table hears of it later
		}
		if err != nil {
			return err
		}
		// A one-shot that has fired has only its mode left. But adding turns Err and Hup on: should one of
		// them come, it comes once, and sort drops it.
		s.muted = r.events&^(OneShot|EdgeTriggered|WakeUp|Exclusive) == 0
	}
	if err := unix.Dup3(epfd, p.epfd, unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("dup3", err)
	}
	p.suspects = 0
	return nil
}

// A registration is what the kernel has of one.
type registration struct {
	fd     int
	events Events
	token  Token
}

// parseSet reads the registrations of an epoll instance as /proc/PID/fdinfo has them: lines
// "tfd: 5 events: 40000019 data: 100000002 …". Source: proc_pid_fdinfo(5).
func parseSet(r io.Reader) ([]registration, error) {
	var all []registration
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || f[0] != "tfd:" {
			continue
		}
		if len(f) < 6 || f[2] != "events:" || f[4] != "data:" {
			return nil, fmt.Errorf("epoll: malformed fdinfo %q", lines.Text())
		}
		fd, err1 := strconv.ParseInt(f[1], 10, 32)
		events, err2 := strconv.ParseUint(f[3], 16, 32)
		data, err3 := strconv.ParseUint(f[5], 16, 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("epoll: fdinfo: %w", err)
		}
		all = append(all, registration{int(fd), Events(events), Token(data)})
	}
	return all, lines.Err()
}
