package syscalls

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// openEpoll makes an instance that watches the reading end of a pipe.
func openEpoll(t testing.TB) (epfd int, pipe [2]int) {
	t.Helper()
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(epfd) })
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pipe[0]); unix.Close(pipe[1]) })
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, pipe[0], &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(pipe[0])}); err != nil {
		t.Fatal(err)
	}
	return epfd, pipe
}

func TestEpollPwait2WaitsForAWriter(t *testing.T) {
	epfd, pipe := openEpoll(t)
	events := make([]unix.EpollEvent, 2)
	if n, err := EpollPwait2(epfd, events, &unix.Timespec{}, nil); n != 0 || err != nil {
		featuretest.Skip(t, features.EpollPwait2, err)
	}
	if n, errno := RawEpollPwait(epfd, events); n != 0 || errno != 0 {
		t.Errorf("raw: %d, %v", n, errno)
	}
	go unix.Write(pipe[1], []byte{1})
	n, err := retry(func() (int, error) { return EpollPwait2(epfd, events, nil, new(unix.Sigset_t)) })
	if n != 1 || err != nil || events[0].Events != unix.EPOLLIN || int(events[0].Fd) != pipe[0] {
		t.Errorf("%d, %v: %+v", n, err, events[0])
	}
	if n, errno := RawEpollPwait(epfd, events); n != 1 || errno != 0 || int(events[0].Fd) != pipe[0] {
		t.Errorf("raw: %d, %v: %+v", n, errno, events[0])
	}
}

// TestEpollPwait2WaitsNoLess has CLOCK_BOOTTIME for the other clock.
func TestEpollPwait2WaitsNoLess(t *testing.T) {
	epfd, _ := openEpoll(t)
	now := func() (ts unix.Timespec) {
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			t.Fatal(err)
		}
		return ts
	}
	const wait = 1_500_000 * time.Nanosecond // 1.5 ms: epoll_wait could not say so
	begin := now()
	n, err := retry(func() (int, error) {
		begin = now()
		return EpollPwait2(epfd, make([]unix.EpollEvent, 1), &unix.Timespec{Nsec: int64(wait)}, nil)
	})
	end := now()
	if n != 0 || err != nil {
		featuretest.Skip(t, features.EpollPwait2, err)
	}
	if waited := time.Duration(end.Nano() - begin.Nano()); waited < wait {
		t.Errorf("waited %v; want %v at least", waited, wait)
	}
}

func TestEpollPwait2Refuses(t *testing.T) {
	epfd, pipe := openEpoll(t)
	events := make([]unix.EpollEvent, 1)
	if _, err := EpollPwait2(epfd, events, &unix.Timespec{}, nil); err != nil {
		featuretest.Skip(t, features.EpollPwait2, err)
	}
	_, raw := RawEpollPwait(-1, events)
	for name, tt := range map[string]struct{ got, want error }{
		"no descriptor": {second(EpollPwait2(-1, events, nil, nil)), unix.EBADF},
		"no instance":   {second(EpollPwait2(pipe[0], events, nil, nil)), unix.EINVAL},
		"no room":       {second(EpollPwait2(epfd, nil, nil, nil)), unix.EINVAL},
		"no time":       {second(EpollPwait2(epfd, events, &unix.Timespec{Nsec: 1e9}, nil)), unix.EINVAL},
		"raw":           {raw, unix.EBADF},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

func TestEpollParamsAreTheInstances(t *testing.T) {
	epfd, pipe := openEpoll(t)
	want := EpollParams{BusyPollUsecs: 70, BusyPollBudget: 16, PreferBusyPoll: 1}
	if err := EpollSetParams(epfd, &want); err != nil {
		featuretest.Skip(t, features.EpollBusyPoll, err)
	}
	other, err := unix.FcntlInt(uintptr(epfd), unix.F_DUPFD_CLOEXEC, 0) // a second descriptor of the same instance
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if got, err := EpollGetParams(other); got != want || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for name, tt := range map[string]struct{ got, want error }{
		"2 is no yes":   {EpollSetParams(epfd, &EpollParams{PreferBusyPoll: 2}), unix.EINVAL},
		"padding":       {EpollSetParams(epfd, &EpollParams{Pad: 1}), unix.EINVAL},
		"too long":      {EpollSetParams(epfd, &EpollParams{BusyPollUsecs: 1 << 31}), unix.EINVAL},
		"no params":     {EpollSetParams(epfd, nil), unix.EFAULT},
		"no instance":   {EpollSetParams(pipe[0], &want), unix.ENOTTY},
		"get, likewise": {second(EpollGetParams(pipe[0])), unix.ENOTTY},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
	if os.Geteuid() != 0 {
		if err := EpollSetParams(epfd, &EpollParams{BusyPollBudget: 65}); !errors.Is(err, unix.EPERM) {
			t.Errorf("more than everybody's budget: %v", err)
		}
	}
}

func TestEpollLayout(t *testing.T) {
	checkLayout(t, EpollParams{}, "epoll_params?", map[string]string{"Pad": "__pad"})
}
