//go:build amd64 || arm64

package sysname

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// patience bounds every wait here; no wait ends by it unless a test fails.
const patience = 20 * time.Second

// A blocker is a system call that sleeps until it is woken.
type blocker struct {
	arg   uintptr      // the call's first argument, to tell it from the Go runtime's own
	block func() error // makes the call; nil means it did what a call of that name does
	wake  func() error // ends it
}

// TestNameIsTheCallThatAThreadSleepsIn puts a thread to sleep in a call which
// proves by its effect that it is the one meant, and asks the kernel which
// number the sleeping thread is in.
func TestNameIsTheCallThatAThreadSleepsIn(t *testing.T) {
	for want, prepare := range map[string]func(*testing.T) blocker{
		"read":         inRead,
		"recvfrom":     inRecvfrom,
		"accept4":      inAccept4,
		"flock":        inFlock,
		"futex":        inFutex,
		"ppoll":        inPpoll,
		"epoll_pwait2": inEpollPwait2,
		"futex_waitv":  inFutexWaitv,
	} {
		t.Run(want, func(t *testing.T) {
			b := prepare(t)
			tids, done := make(chan int, 1), make(chan error, 1)
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				tids <- unix.Gettid()
				err := b.block()
				for err == unix.EINTR { // by the Go scheduler's own signal
					err = b.block()
				}
				done <- err
			}()
			tid := <-tids

			nr, asleep := waitAsleep(t, tid, b.arg)
			woken := b.wake()
			if errors.Is(asleep, errEmulated) { // and it may lack the call
				t.Skip(asleep)
			}
			if asleep != nil {
				t.Fatal(asleep)
			}
			if woken != nil {
				t.Fatalf("wake: %v", woken)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("%s: %v", want, err)
				}
			case <-time.After(patience):
				t.Fatalf("%s never returned", want)
			}
			if got := Name(nr); got != want {
				t.Errorf("Name(%d) = %q; thread slept in %s", nr, got, want)
			}
			if got, ok := Number(want); !ok || got != nr {
				t.Errorf("Number(%q) = %d, %t; thread slept in %d", want, got, ok, nr)
			}
		})
	}
}

// errEmulated reports that the kernel's numbers are an emulator's, not ours.
var errEmulated = errors.New("the kernel runs other code than this program's: an emulator makes the system calls")

// waitAsleep waits until thread tid sleeps in a system call whose first
// argument is arg, and returns the call's number as the kernel gives it.
func waitAsleep(t *testing.T, tid int, arg uintptr) (nr int64, err error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
		if err != nil {
			return 0, err
		}
		// Number, six arguments, stack pointer, program counter; "-1", stack
		// pointer, program counter outside a call; or "running".
		var f [8]uintptr
		n, _ := fmt.Sscanf(string(b), "%d %v %v %v %v %v %v %v %v",
			&nr, &f[0], &f[1], &f[2], &f[3], &f[4], &f[5], &f[6], &f[7])
		if n == 9 && !mapped(t, f[7]) {
			return 0, errEmulated
		}
		if n == 9 && f[0] == arg {
			return nr, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("thread never slept in a call on %#x; the kernel says %q", arg, b)
		}
	}
}

// mapped says whether addr lies in this program's address space, as the
// program itself sees it.
func mapped(t *testing.T, addr uintptr) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var start, end uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
			t.Fatalf("/proc/self/maps: %q: %v", line, err)
		}
		if start <= addr && addr < end {
			return true
		}
	}
	return false
}

// pipe returns both ends of a pipe that blocks.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p[0], p[1]
}

// send writes one byte to fd.
func send(fd int) error {
	_, err := unix.Write(fd, []byte{7})
	return err
}

// received says whether a call returned the byte that send wrote.
func received(n int, b byte, err error) error {
	if err == nil && (n != 1 || b != 7) {
		err = fmt.Errorf("received %d bytes, first %d", n, b)
	}
	return err
}

// one says whether a call that counts what is ready counted one thing.
func one(n int, err error) error {
	if err == nil && n != 1 {
		err = fmt.Errorf("%d ready; want 1", n)
	}
	return err
}

// need skips the test on a kernel without system call nr. Each call asked for
// refuses these arguments where it exists.
func need(t *testing.T, nr uintptr, since string) {
	t.Helper()
	if _, _, errno := unix.Syscall6(nr, ^uintptr(0), 0, 0, 0, 0, 0); errno == unix.ENOSYS {
		t.Skipf("this kernel lacks the call, which came with Linux %s", since)
	}
}

func inRead(t *testing.T) blocker {
	r, w := pipe(t)
	return blocker{
		arg: uintptr(r),
		block: func() error {
			var b [1]byte
			n, err := unix.Read(r, b[:])
			return received(n, b[0], err)
		},
		wake: func() error { return send(w) },
	}
}

func inRecvfrom(t *testing.T) blocker {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return blocker{
		arg: uintptr(p[0]),
		block: func() error {
			var b [1]byte
			n, _, err := unix.Recvfrom(p[0], b[:], 0)
			return received(n, b[0], err)
		},
		wake: func() error { return send(p[1]) },
	}
}

func inAccept4(t *testing.T) blocker {
	socket := func() int {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	listener, client := socket(), socket()
	if err := unix.Bind(listener, &unix.SockaddrUnix{}); err != nil { // the kernel chooses an abstract name
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 1); err != nil {
		t.Fatal(err)
	}
	addr, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	return blocker{
		arg: uintptr(listener),
		block: func() error {
			fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
			if err != nil {
				return err
			}
			return unix.Close(fd)
		},
		wake: func() error { return unix.Connect(client, addr) },
	}
}

func inFlock(t *testing.T) blocker {
	name := filepath.Join(t.TempDir(), "lock")
	open := func() int {
		fd, err := unix.Open(name, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	holder, waiter := open(), open()
	if err := unix.Flock(holder, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return blocker{
		arg:   uintptr(waiter),
		block: func() error { return unix.Flock(waiter, unix.LOCK_EX) },
		wake:  func() error { return unix.Flock(holder, unix.LOCK_UN) },
	}
}

func inPpoll(t *testing.T) blocker {
	r, w := pipe(t)
	fds := []unix.PollFd{{Fd: int32(r), Events: unix.POLLIN}}
	return blocker{
		arg:   uintptr(unsafe.Pointer(&fds[0])),
		block: func() error { return one(unix.Ppoll(fds, nil, nil)) },
		wake:  func() error { return send(w) },
	}
}

func inEpollPwait2(t *testing.T) blocker {
	need(t, unix.SYS_EPOLL_PWAIT2, "5.11")
	r, w := pipe(t)
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ep) })
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, r, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(r)}); err != nil {
		t.Fatal(err)
	}
	return blocker{
		arg: uintptr(ep),
		block: func() error {
			var ready [2]unix.EpollEvent
			n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep), uintptr(unsafe.Pointer(&ready)), 2, 0, 0, 0)
			if errno != 0 {
				return errno
			}
			return one(int(n), nil)
		},
		wake: func() error { return send(w) },
	}
}

const (
	futexWait    = 0
	futexWake    = 1
	futexPrivate = 128
	futexSize32  = 2 // FUTEX2_SIZE_U32
)

// wakeFutex wakes the sleeper on word. It tries until there is one: a thread
// that sleeps in the call may still wait for a lock and not yet on word.
func wakeFutex(word *uint32) error {
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		n, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake|futexPrivate, 1, 0, 0, 0)
		if errno != 0 {
			return errno
		}
		if n == 1 || time.Now().After(deadline) {
			return one(int(n), nil)
		}
	}
}

func inFutex(*testing.T) blocker {
	word := new(uint32)
	return blocker{
		arg: uintptr(unsafe.Pointer(word)),
		block: func() error {
			_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait|futexPrivate, 0, 0, 0, 0)
			if errno != 0 {
				return errno
			}
			return nil
		},
		wake: func() error { return wakeFutex(word) },
	}
}

func inFutexWaitv(t *testing.T) blocker {
	need(t, unix.SYS_FUTEX_WAITV, "5.16")
	word := new(uint32)
	waiter := &struct { // struct futex_waitv, include/uapi/linux/futex.h
		val, uaddr      uint64
		flags, reserved uint32
	}{uaddr: uint64(uintptr(unsafe.Pointer(word))), flags: futexSize32 | futexPrivate}
	return blocker{
		arg: uintptr(unsafe.Pointer(waiter)),
		block: func() error {
			index, _, errno := unix.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(waiter)), 1, 0, 0, 0, 0)
			runtime.KeepAlive(word)
			if errno != 0 {
				return errno
			}
			return one(int(index)+1, nil) // the index of the word that was woken
		},
		wake: func() error { return wakeFutex(word) },
	}
}
