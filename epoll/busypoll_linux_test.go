package epoll

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/syscalls"
)

func TestBusyPollIsTheInstances(t *testing.T) {
	p := newPoller(t)
	want := BusyPoll{For: 70 * time.Microsecond, Budget: 16, Prefer: true}
	if err := p.SetBusyPoll(want); err != nil {
		featuretest.Skip(t, features.EpollBusyPoll, err)
	}
	inKernel := syscalls.EpollParams{BusyPollUsecs: 70, BusyPollBudget: 16, PreferBusyPoll: 1}
	check := func(when string) {
		t.Helper()
		if got, err := p.BusyPoll(); got != want || err != nil {
			t.Errorf("%s: %+v, %v", when, got, err)
		}
		if got, err := syscalls.EpollGetParams(p.FD()); got != inKernel || err != nil {
			t.Errorf("%s: the kernel has %+v, %v", when, got, err)
		}
	}
	check("set")
	for _, b := range []BusyPoll{{For: -1}, {For: 1 << 31 * time.Microsecond}, {Budget: -1}, {Budget: 1 << 16}} {
		if err := p.SetBusyPoll(b); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%+v: %v; want EINVAL", b, err)
		}
	}
	if err := p.SetBusyPoll(BusyPoll{Budget: 65}); os.Geteuid() != 0 && !errors.Is(err, unix.EPERM) {
		t.Errorf("more than everybody's budget: %v", err)
	}
	if err := p.SetBusyPoll(want); err != nil {
		t.Fatal(err)
	}

	r, w := pipe(t)
	dup, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	newEnd(t, dup)
	ghost := add(t, p, r.fd, In)
	r.close()
	p.Remove(ghost)
	w.write("x")
	expect(t, p)
	if p.suspects != 0 {
		t.Fatal("the set was not made anew")
	}
	check("in the new set")

	if err := p.SetBusyPoll(BusyPoll{For: 1}); err != nil { // rounds up
		t.Fatal(err)
	}
	if got, err := p.BusyPoll(); got.For != time.Microsecond || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	p.Close()
	_, err = p.BusyPoll()
	for _, err := range []error{err, p.SetBusyPoll(want)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}
