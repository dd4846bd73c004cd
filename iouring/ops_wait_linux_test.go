package iouring

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

func tryPollAdd(t *testing.T, r *Ring) {
	rd, w := pipe(t)
	result(t, do(t, r, func(e Entry) error { return e.PollAdd(w.fd, unix.POLLOUT) }), unix.POLLOUT)
	tok := start(t, r, func(e Entry) error { return e.PollAdd(rd.fd, unix.POLLIN) })
	none(t, r)
	w.write("x")
	if c := next(t, r); c.Token != tok || c.Res != unix.POLLIN || c.More() {
		t.Fatal(c)
	}
	rd.read()
	tok = start(t, r, func(e Entry) error { return e.PollMultishot(rd.fd, unix.POLLIN, 0) })
	for range 3 {
		w.write("x")
		if c := next(t, r); c.Token != tok || c.Res&unix.POLLIN == 0 || !c.More() {
			t.Fatal(c)
		}
		rd.read()
	}
	cancel(t, r, tok)
	failed(t, do(t, r, func(e Entry) error { return e.PollAdd(-1, unix.POLLIN) }), unix.EBADF)
}

// cancel cancels what waits, and expects that it says so.
func cancel(t testing.TB, r *Ring, tok Token) {
	t.Helper()
	by := start(t, r, func(e Entry) error { return e.Cancel(tok, 0) })
	all := nextOf(t, r, 2)
	result(t, all[by][0], 0)
	failed(t, all[tok][0], unix.ECANCELED)
	if r.InFlight(tok) || all[tok][0].More() {
		t.Fatalf("%v has not ended: %v", tok, all[tok])
	}
}

func tryPollRemove(t *testing.T, r *Ring) {
	rd, w := pipe(t)
	tok := start(t, r, func(e Entry) error { return e.PollAdd(rd.fd, unix.POLLIN) })
	by := start(t, r, func(e Entry) error { return e.PollRemove(tok) })
	all := nextOf(t, r, 2)
	result(t, all[by][0], 0)
	failed(t, all[tok][0], unix.ECANCELED)
	failed(t, do(t, r, func(e Entry) error { return e.PollRemove(tok) }), unix.ENOENT)

	tok = start(t, r, func(e Entry) error { return e.PollAdd(w.fd, unix.POLLIN) }) // which a writer never is
	by = start(t, r, func(e Entry) error { return e.PollUpdate(tok, unix.POLLOUT, 0) })
	all = nextOf(t, r, 2)
	result(t, all[by][0], 0)
	result(t, all[tok][0], unix.POLLOUT)
}

func tryTimeout(t *testing.T, r *Ring) {
	from := time.Now()
	failed(t, do(t, r, func(e Entry) error { return e.Timeout(20*time.Millisecond, 0, 0) }), unix.ETIME)
	if d := time.Since(from); d < 20*time.Millisecond {
		t.Errorf("over after %v", d)
	}
	at := time.Now().Add(10 * time.Millisecond)
	failed(t, do(t, r, func(e Entry) error {
		return e.Timeout(time.Duration(at.UnixNano()), 0, syscalls.IORING_TIMEOUT_ABS|syscalls.IORING_TIMEOUT_REALTIME)
	}), unix.ETIME)
	if time.Now().Before(at) {
		t.Errorf("over too early")
	}
	tok := start(t, r, func(e Entry) error { return e.Timeout(time.Hour, 1, 0) })
	nop := start(t, r, Entry.Nop)
	all := nextOf(t, r, 2)
	result(t, all[nop][0], 0)
	result(t, all[tok][0], 0) // because another has completed
	failed(t, do(t, r, func(e Entry) error { return e.Timeout(1, 0, 1<<30) }), unix.EINVAL)
}

func tryTimeoutRemove(t *testing.T, r *Ring) {
	tok := start(t, r, func(e Entry) error { return e.Timeout(time.Hour, 0, 0) })
	by := start(t, r, func(e Entry) error { return e.TimeoutRemove(tok) })
	all := nextOf(t, r, 2)
	result(t, all[by][0], 0)
	failed(t, all[tok][0], unix.ECANCELED)
	tok = start(t, r, func(e Entry) error { return e.Timeout(time.Hour, 0, 0) })
	by = start(t, r, func(e Entry) error { return e.TimeoutUpdate(tok, time.Millisecond, 0) })
	all = nextOf(t, r, 2)
	result(t, all[by][0], 0)
	failed(t, all[tok][0], unix.ETIME)
	failed(t, do(t, r, func(e Entry) error { return e.TimeoutRemove(tok) }), unix.ENOENT)
}

func tryLinkTimeout(t *testing.T, r *Ring) {
	rd, w := pipe(t)
	chain := func(d time.Duration) (read, timeout Token) {
		e := get(t, r)
		must(t, e.SetFlags(syscalls.IOSQE_IO_LINK))
		must(t, e.Read(rd.fd, make([]byte, 1), -1))
		l := get(t, r)
		must(t, l.LinkTimeout(d, 0))
		_, err := r.Submit()
		must(t, err)
		return e.Token(), l.Token()
	}
	read, timeout := chain(20 * time.Millisecond)
	all := nextOf(t, r, 2)
	failed(t, all[timeout][0], unix.ETIME)
	if err := all[read][0].Err(); err != unix.ECANCELED && err != unix.EINTR { // a worker is interrupted
		t.Fatal(all)
	}
	w.write("x")
	read, timeout = chain(time.Hour)
	all = nextOf(t, r, 2)
	result(t, all[read][0], 1)
	failed(t, all[timeout][0], unix.ECANCELED)
	failed(t, do(t, r, func(e Entry) error { return e.LinkTimeout(time.Second, 0) }), unix.EINVAL) // of nothing
}

func tryCancel(t *testing.T, r *Ring) {
	rd, _ := pipe(t)
	_, server := tcp(t)
	cancel(t, r, start(t, r, func(e Entry) error { return e.Recv(server.fd, make([]byte, 1), 0) }))
	cancel(t, r, start(t, r, func(e Entry) error { return e.Timeout(time.Hour, 0, 0) }))
	failed(t, do(t, r, func(e Entry) error { return e.Cancel(newToken(1, 77), 0) }), unix.ENOENT)
	several := func(how func(Entry) error) {
		t.Helper()
		for range 3 {
			start(t, r, func(e Entry) error { return e.PollAdd(rd.fd, unix.POLLIN) })
		}
		by := start(t, r, how)
		for tok, list := range nextOf(t, r, 4) {
			if tok == by {
				result(t, list[0], 3)
			} else {
				failed(t, list[0], unix.ECANCELED)
			}
		}
	}
	several(func(e Entry) error { return e.CancelFd(rd.fd, syscalls.IORING_ASYNC_CANCEL_ALL) })
	several(func(e Entry) error {
		return e.Cancel(0, syscalls.IORING_ASYNC_CANCEL_ANY|syscalls.IORING_ASYNC_CANCEL_ALL)
	})
	if k := running(t); k.Release.Major > 6 || k.Release.Minor >= 6 {
		several(func(e Entry) error {
			return e.CancelOp(syscalls.IORING_OP_POLL_ADD, syscalls.IORING_ASYNC_CANCEL_ALL)
		})
	}
}

func tryEpollCtl(t *testing.T, r *Ring) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	ep := newEnd(t, fd, err)
	_, w := pipe(t)
	event := unix.EpollEvent{Events: unix.EPOLLOUT, Fd: 42}
	result(t, do(t, r, func(e Entry) error { return e.EpollCtl(ep.fd, unix.EPOLL_CTL_ADD, w.fd, &event) }), 0)
	got := make([]unix.EpollEvent, 2)
	if n, err := unix.EpollWait(ep.fd, got, 0); n != 1 || err != nil || got[0].Fd != 42 {
		t.Errorf("%d, %v, %+v", n, err, got)
	}
	failed(t, do(t, r, func(e Entry) error { return e.EpollCtl(ep.fd, unix.EPOLL_CTL_ADD, w.fd, &event) }), unix.EEXIST)
	result(t, do(t, r, func(e Entry) error { return e.EpollCtl(ep.fd, unix.EPOLL_CTL_DEL, w.fd, nil) }), 0)
}

func tryEpollWait(t *testing.T, r *Ring) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	ep := newEnd(t, fd, err)
	rd, w := pipe(t)
	must(t, unix.EpollCtl(ep.fd, unix.EPOLL_CTL_ADD, rd.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 42}))
	got := make([]unix.EpollEvent, 2)
	tok := start(t, r, func(e Entry) error { return e.EpollWait(ep.fd, got) })
	none(t, r)
	w.write("x")
	if c := next(t, r); c.Token != tok || c.Res != 1 || got[0].Fd != 42 || got[0].Events != unix.EPOLLIN {
		t.Errorf("%v, %+v", c, got)
	}
	failed(t, do(t, r, func(e Entry) error { return e.EpollWait(rd.fd, got) }), unix.EINVAL)
}

func tryWaitid(t *testing.T, r *Ring) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"=seven")
	must(t, cmd.Start())
	var info unix.Siginfo
	result(t, do(t, r, func(e Entry) error { return e.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED) }), 0)
	const offset = 16 // of si_pid, si_uid, si_status: 32 bits each
	fields := (*[3]int32)(unsafe.Add(unsafe.Pointer(&info), offset))
	if info.Signo != int32(unix.SIGCHLD) || int(fields[0]) != cmd.Process.Pid || fields[2] != 7 {
		t.Errorf("signal %d, pid %d, status %d", info.Signo, fields[0], fields[2])
	}
	failed(t, do(t, r, func(e Entry) error { return e.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED) }), unix.ECHILD)
	cmd.Process.Release()
}

const word = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE

func tryFutexWait(t *testing.T, r *Ring) {
	f := new(uint32)
	*f = 5
	tok := start(t, r, func(e Entry) error { return e.FutexWait(f, 5, ^uint64(0)>>32, word) })
	none(t, r)
	wake(t, f)
	if c := next(t, r); c.Token != tok || c.Res != 0 {
		t.Fatal(c)
	}
	failed(t, do(t, r, func(e Entry) error { return e.FutexWait(f, 6, ^uint64(0)>>32, word) }), unix.EAGAIN)
}

// wake wakes one that waits, by futex(2), as soon as there is one: a thread of the kernel takes entries when it gets
// to them.
func wake(t *testing.T, f *uint32) {
	t.Helper()
	const wakePrivate = 1 | 128
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); runtime.Gosched() {
		n, _, _ := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(f)), wakePrivate, 1, 0, 0, 0)
		if n == 1 {
			return
		}
	}
	t.Fatal("nobody waits")
}

func tryFutexWake(t *testing.T, r *Ring) {
	f := new(uint32)
	var waiting []Token
	for range 2 {
		waiting = append(waiting, start(t, r, func(e Entry) error { return e.FutexWait(f, 0, ^uint64(0)>>32, word) }))
	}
	none(t, r)
	by := start(t, r, func(e Entry) error { return e.FutexWake(f, 5, ^uint64(0)>>32, word) })
	all := nextOf(t, r, 3)
	result(t, all[by][0], 2)
	for _, tok := range waiting {
		result(t, all[tok][0], 0)
	}
	failed(t, do(t, r, func(e Entry) error { return e.FutexWake(f, 1, ^uint64(0)>>32, 1<<30) }), unix.EINVAL)
}

func tryFutexWaitv(t *testing.T, r *Ring) {
	a, b := new(uint32), new(uint32)
	words := []Futex{{a, 0, word}, {b, 0, word}}
	tok := start(t, r, func(e Entry) error { return e.FutexWaitv(words) })
	none(t, r)
	wake(t, b)
	if c := next(t, r); c.Token != tok || c.Res != 1 {
		t.Fatal(c)
	}
	*a = 1
	failed(t, do(t, r, func(e Entry) error { return e.FutexWaitv(words) }), unix.EAGAIN)
}

func tryProvideBuffers(t *testing.T, r *Ring) {
	b := make([]byte, 3*8)
	result(t, do(t, r, func(e Entry) error { return e.ProvideBuffers(b, 8, 3, 5, 10) }), 0)
	client, server := tcp(t)
	client.write("0123456789")
	for n := range 2 {
		c := do(t, r, func(e Entry) error {
			must(t, e.SetBufferGroup(5))
			return e.Recv(server.fd, nil, 0)
		})
		id, ok := c.Buffer()
		if !ok || id < 10 || id > 12 || c.Res != []int32{8, 2}[n] {
			t.Fatal(c)
		}
		if s := string(b[(id-10)*8:][:c.Res]); s != []string{"01234567", "89"}[n] {
			t.Fatalf("%q", s)
		}
	}
	ring, err := r.NewBufRing(BufRingOptions{Group: 7, Buffers: 1, Size: 8})
	must(t, err)
	failed(t, do(t, r, func(e Entry) error { return e.ProvideBuffers(b, 8, 1, 7, 0) }), unix.EINVAL) // a group of another kind
	must(t, ring.Close())
}

func tryRemoveBuffers(t *testing.T, r *Ring) {
	b := make([]byte, 3*8)
	result(t, do(t, r, func(e Entry) error { return e.ProvideBuffers(b, 8, 3, 6, 0) }), 0)
	result(t, do(t, r, func(e Entry) error { return e.RemoveBuffers(2, 6) }), 2)
	result(t, do(t, r, func(e Entry) error { return e.RemoveBuffers(2, 6) }), 1)
	failed(t, do(t, r, func(e Entry) error { return e.RemoveBuffers(1, 99) }), unix.ENOENT)
}

func tryMsgRing(t *testing.T, r *Ring) {
	other := newRing(t, Options{Entries: 8})
	result(t, do(t, r, func(e Entry) error { return e.MsgRing(other.FD(), 77, -5, 0) }), 0)
	c := next(t, other)
	if c.Token != Message(77) || c.Res != -5 || !c.Token.IsMessage() {
		t.Fatal(c)
	}
	rd, w := pipe(t)
	must(t, r.RegisterFiles([]int{w.fd}))
	defer r.UnregisterFiles()
	must(t, other.RegisterSparseFiles(2))
	result(t, do(t, r, func(e Entry) error { return e.MsgRingFd(other.FD(), 0, 1, 78, 0) }), 0)
	if c := next(t, other); c.Token != Message(78) {
		t.Fatal(c)
	}
	result(t, do(t, other, func(e Entry) error {
		must(t, e.SetFlags(syscalls.IOSQE_FIXED_FILE))
		return e.Write(1, []byte("passed"), -1)
	}), 6)
	if s := rd.read(); s != "passed" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.MsgRing(rd.fd, 0, 0, 0) }), unix.EBADFD)
	c = do(t, r, func(e Entry) error { return e.MsgRingCqeFlags(other.FD(), 79, 1, syscalls.IORING_CQE_F_MORE) })
	if k := running(t); k.Release.Major == 6 && k.Release.Minor < 3 {
		failed(t, c, unix.EINVAL)
		return
	}
	if c := next(t, other); c.Token != Message(79) || !c.More() {
		t.Fatal(c)
	}
}
