package iouring

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// TestCloseAwaitsWhatIsInFlight closes a ring with operations of many kinds waiting. When Close is over nothing may
// be written to their memory any more.
func TestCloseAwaitsWhatIsInFlight(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r := newRing(t, k.options)
			rd, w := pipe(t)
			client, server := tcp(t)
			l, _ := listener(t)
			g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: 2, Size: 8})
			b, c := make([]byte, 8), make([]byte, 8)
			start(t, r, func(e Entry) error { return e.Read(rd.fd, b, -1) })
			start(t, r, func(e Entry) error {
				must(t, e.SetFlags(syscalls.IOSQE_ASYNC)) // waits in a worker thread
				return e.Read(rd.fd, c, -1)
			})
			start(t, r, func(e Entry) error { return e.RecvMultishot(server.fd, 0, 1) })
			start(t, r, func(e Entry) error { return e.MultishotAccept(l.fd, 0) })
			start(t, r, func(e Entry) error { return e.PollMultishot(rd.fd, unix.POLLIN, 0) })
			start(t, r, func(e Entry) error { return e.Timeout(time.Hour, 0, 0) })
			start(t, r, Entry.Nop)
			must(t, get(t, r).Write(w.fd, []byte("never"), -1)) // is not submitted
			from := time.Now()
			must(t, r.Close())
			if d := time.Since(from); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
			w.write("12345678abcdefgh")
			client.write("ijkl")
			if string(b) != strings.Repeat("\x00", 8) || string(c) != string(b) {
				t.Errorf("%q, %q were written to after Close", b, c)
			}
			if s := rd.read(); s != "12345678abcdefgh" { // nobody took a part
				t.Errorf("%q is left in the pipe", s)
			}
			_ = g
		})
	}
}

// TestCloseClosesWhatNobodyTook leaves descriptors in completions that nobody looks at; newRing counts.
// Close has as many calls as there are operations in flight at the most, and looks at all of them once: it does not run out
// of time where there are many.
func TestCloseEndsThousands(t *testing.T) {
	r := newRing(t, Options{SingleIssuer: true, CloseTimeout: longest})
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	for range 8_000 {
		e, err := r.Get()
		if errors.Is(err, ErrFull) {
			if _, err := r.Submit(); err != nil {
				t.Fatal(err)
			}
			e, err = r.Get()
		}
		if err == nil {
			err = e.PollAdd(ends[0], unix.POLLIN)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseClosesWhatNobodyTook(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		l, at := listener(t)
		start(t, r, func(e Entry) error { return e.MultishotAccept(l.fd, unix.SOCK_CLOEXEC) })
		for range 3 {
			dial(t, at)
		}
		start(t, r, func(e Entry) error { return e.Openat(unix.AT_FDCWD, "/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) })
		start(t, r, func(e Entry) error { return e.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) })
		if _, err := r.SubmitAndWait(5, longest); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAForgottenRingKeepsItsMemory drops a ring while the kernel waits to write into its buffer. The collector must
// not take that: it is found again by its address.
func TestAForgottenRingKeepsItsMemory(t *testing.T) {
	for _, single := range []bool{false, true} {
		rd, w := pipe(t)
		var where uintptr
		done := make(chan struct{})
		go func() {
			defer close(done)
			if single {
				runtime.LockOSThread() // and the thread ends with the goroutine
			}
			r, err := New(Options{SingleIssuer: single})
			if err != nil {
				t.Error(err)
				return
			}
			b := make([]byte, 1<<12)
			where = uintptr(unsafe.Pointer(&b[0]))
			e, _ := r.Get()
			e.Read(rd.fd, b, -1)
			r.Submit()
		}()
		<-done
		var junk [][]byte
		for range 20 {
			runtime.GC()
			for range 100 {
				b := make([]byte, 1<<12)
				if uintptr(unsafe.Pointer(&b[0])) == where && !single {
					t.Log("the buffer was free again, so nothing must be written to it")
				}
				junk = append(junk, b)
			}
			time.Sleep(time.Millisecond) // for the finalizer
		}
		w.write(strings.Repeat("!", 1<<12))
		for _, b := range junk {
			if strings.Contains(string(b), "!") {
				t.Fatal("the kernel wrote into memory that was somebody else's")
			}
		}
	}
}

// TestAForgottenRingIsClosed drops an idle one.
func TestAForgottenRingIsClosed(t *testing.T) {
	before := rings(t)
	func() {
		r, err := New(Options{})
		must(t, err)
		result(t, do(t, r, Entry.Nop), 0)
	}()
	for deadline := time.Now().Add(longest); rings(t) > before; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d rings, %d before", rings(t), before)
		}
	}
}

// rings counts descriptors of rings.
func rings(t *testing.T) int {
	return strings.Count(strings.Join(openFiles(t), "\n"), "anon_inode:[io_uring]")
}

// TestTheThreadsEndCancels lets the thread that submitted end: what waits is cancelled when it would go on. The ring
// lives on.
func TestTheThreadsEndCancels(t *testing.T) {
	r := newRing(t, Options{})
	rd, w := pipe(t)
	must(t, get(t, r).PollAdd(rd.fd, unix.POLLIN))
	must(t, get(t, r).Read(rd.fd, make([]byte, 1), -1))
	var tid int
	must(t, onAThreadThatEnds(func() error {
		tid = unix.Gettid()
		_, err := r.Submit()
		return err
	}))
	for {
		if _, err := os.Stat("/proc/self/task/" + itoa(tid)); err != nil {
			break
		}
		runtime.Gosched()
	}
	w.write("x")
	for range 2 {
		failed(t, next(t, r), unix.ECANCELED)
	}
	reads(t, r)
}

// onAThreadThatEnds runs f on a thread that ends after it. The first of a process never does in Go.
func onAThreadThatEnds(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			result <- onAThreadThatEnds(f) // this one is locked, so the next is another
			runtime.UnlockOSThread()
			return
		}
		result <- f()
	}()
	return <-result
}

// refuse has a filter refuse a system call, to this thread and to those that it makes.
func refuse(call uint32, errno unix.Errno) error {
	const load, jumpEqual, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	program := []unix.SockFilter{
		{Code: load}, // the call's number
		{Code: jumpEqual, K: call, Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
}

// forbidden has io_uring_setup refused, and looks at what New makes of it.
func forbidden(errno unix.Errno, is error, says string) error {
	runtime.LockOSThread()
	if err := refuse(unix.SYS_IO_URING_SETUP, errno); err != nil {
		return err
	}
	_, err := New(Options{})
	if !errors.Is(err, is) || !errors.Is(err, errno) || !strings.Contains(err.Error(), says) {
		return fmt.Errorf("New says %v", err)
	}
	return nil
}

func TestAForbiddenRingSaysByWhat(t *testing.T) {
	newRing(t, Options{})
	child(t, "forbidden")
	child(t, "hidden")
}

// shutOut closes rings with operations in flight when io_uring_register has become forbidden.
func shutOut(errno unix.Errno) error {
	runtime.LockOSThread()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	var rings []*Ring
	for _, o := range []Options{{}, {SingleIssuer: true}} {
		o.CloseTimeout = longest
		r, err := New(o)
		if err != nil {
			return err
		}
		rings = append(rings, r)
		e, err := r.Get()
		if err == nil {
			err = e.Read(fds[0], make([]byte, 1), -1)
		}
		if err == nil {
			_, err = r.Submit()
		}
		if err != nil {
			return err
		}
	}
	if err := refuse(unix.SYS_IO_URING_REGISTER, errno); err != nil {
		return err
	}
	var err error
	for _, r := range rings {
		err = errors.Join(err, r.Close())
	}
	return err
}

func TestCloseNeedsNoRegistration(t *testing.T) {
	newRing(t, Options{})
	child(t, "shut out")
	child(t, "shut out, hidden")
}

// memlock lowers the limit of locked memory, and looks at what RegisterBuffers makes of it. Root may exceed it.
func memlock() error {
	runtime.LockOSThread()
	if os.Geteuid() == 0 {
		var none [2]unix.CapUserData
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
			return err
		}
	}
	r, err := New(Options{Entries: 4})
	if err != nil {
		return err
	}
	defer r.Close()
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}); err != nil {
		return err
	}
	err = r.RegisterBuffers([][]byte{make([]byte, 1<<20)})
	if !errors.Is(err, unix.ENOMEM) || !strings.Contains(err.Error(), "RLIMIT_MEMLOCK, which is 65536 bytes") {
		return fmt.Errorf("RegisterBuffers says %v", err)
	}
	return nil
}

func TestTooMuchLockedMemorySaysSo(t *testing.T) {
	newRing(t, Options{})
	child(t, "memlock")
}

// TestEMFILEEndsAnAcceptAndNothingElse runs out of descriptors, in a child because of the limit.
func TestEMFILEEndsAnAcceptAndNothingElse(t *testing.T) {
	newRing(t, Options{})
	child(t, "emfile")
}

func emfile() error {
	r, err := New(Options{})
	if err != nil {
		return err
	}
	defer r.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	unix.Listen(fd, 16)
	at, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	// Two connections wait: on older kernels the first is lost with the descriptor that it does not get.
	var clients [2]int
	for i := range clients {
		clients[i], _ = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err := unix.Connect(clients[i], at); err != nil {
			return err
		}
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		return err
	}
	limit := func(n int) error {
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(n), Max: old.Max})
	}
	defer limit(int(old.Cur))
	accept := func() (c [1]Completion, err error) {
		e, err := r.Get()
		if err == nil {
			err = e.MultishotAccept(fd, unix.SOCK_CLOEXEC)
		}
		if err == nil {
			_, err = r.SubmitAndWait(1, longest)
		}
		r.Reap(c[:])
		return c, err
	}
	if err := limit(clients[1] + 1); err != nil {
		return err
	}
	c, err := accept()
	if err != nil || c[0].Err() != unix.EMFILE || c[0].More() {
		return fmt.Errorf("%v, %v; want EMFILE", c, err)
	}
	if err := limit(clients[1] + 2); err != nil { // room for one
		return err
	}
	if c, err = accept(); err != nil || int(c[0].Res) != clients[1]+1 || !c[0].More() {
		return fmt.Errorf("%v, %v; want descriptor %d", c, err, clients[1]+1)
	}
	return nil
}

// TestAddressesAreWhatTheKernelSays compares with getsockname(2).
func TestAddressesAreWhatTheKernelSays(t *testing.T) {
	a, err := UnixAddress("@ring3-" + itoa(os.Getpid()))
	must(t, err)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	s := newEnd(t, fd, err)
	_, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(s.fd), uintptr(unsafe.Pointer(&a.raw)), uintptr(a.size))
	if errno != 0 {
		t.Fatal(errno)
	}
	sa, err := unix.Getsockname(s.fd)
	must(t, err)
	if name := sa.(*unix.SockaddrUnix).Name; name != a.Unix() {
		t.Errorf("%q; the kernel has %q", a.Unix(), name)
	}
	_, err = UnixAddress(strings.Repeat("x", 108))
	want(t, err, unix.EINVAL)
	_, err = RawAddress(make([]byte, 200))
	want(t, err, unix.EINVAL)
	raw, err := RawAddress([]byte{unix.AF_NETLINK, 0, 0, 0})
	must(t, err)
	if raw.Family() != unix.AF_NETLINK || len(raw.Raw()) != 4 || raw.AddrPort().IsValid() || raw.Unix() != "" {
		t.Errorf("%+v", raw)
	}
}
