package syscalls

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forms are the calls with six arguments.
var forms = map[string]func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno){
	"RawSyscall6": RawSyscall6,
	"Syscall6":    Syscall6,
}

func TestResultsArrive(t *testing.T) {
	want := uintptr(os.Getppid())
	for name, call := range forms {
		if r1, _, errno := call(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0); r1 != want || errno != 0 {
			t.Errorf("%s: parent %d, %v; want %d", name, r1, errno, want)
		}
	}
	for name, call := range map[string]func(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err unix.Errno){
		"RawSyscall": RawSyscall, "Syscall": Syscall,
	} {
		if r1, _, errno := call(unix.SYS_GETPPID, 0, 0, 0); r1 != want || errno != 0 {
			t.Errorf("%s: parent %d, %v; want %d", name, r1, errno, want)
		}
	}
}

// The kernel leaves the register of the second result as it was: DX has the third argument, R1 the second.
func TestSecondResultIsTheRegister(t *testing.T) {
	want := uintptr(0x333)
	if runtime.GOARCH == "arm64" {
		want = 0x222
	}
	for name, call := range forms {
		if _, r2, _ := call(unix.SYS_GETPPID, 0x111, 0x222, 0x333, 0, 0, 0); r2 != want {
			t.Errorf("%s: %#x; want %#x", name, r2, want)
		}
	}
	if _, r2, _ := RawSyscall(unix.SYS_GETPPID, 0x111, 0x222, 0x333); r2 != want {
		t.Errorf("RawSyscall: %#x; want %#x", r2, want)
	}
}

// Calls that must fail, with whatever arguments: no descriptor and no address in them is one.
func TestRandomFailuresAreThoseOfXSys(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	numbers := []uintptr{
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_LSEEK, unix.SYS_PREAD64, unix.SYS_FSTAT,
		unix.SYS_IOCTL, unix.SYS_FCNTL, unix.SYS_EPOLL_CTL, unix.SYS_FTRUNCATE, unix.SYS_FSYNC,
		unix.SYS_SENDTO, unix.SYS_RECVFROM, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MREMAP,
		unix.SYS_MSYNC, beyond, beyond + 1, 1 << 20,
	}
	for range 20_000 {
		number := numbers[random.IntN(len(numbers))]
		var a [6]uintptr
		for i := range a {
			a[i] = uintptr(random.Uint64())
		}
		a[0] = a[0]&0x3fff_ffff | 1<<30 | 1 // no descriptor that anybody has; as an address it is odd
		r1, r2, errno := RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
		x1, x2, xerrno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
		if r1 != x1 || r2 != x2 || errno != xerrno || errno == 0 {
			t.Fatalf("call %d(%#x): %#x, %#x, %v; x/sys has %#x, %#x, %v", number, a, r1, r2, errno, x1, x2, xerrno)
		}
		r1, r2, errno = RawSyscall(number, a[0], a[1], a[2])
		x1, x2, xerrno = unix.RawSyscall(number, a[0], a[1], a[2])
		if r1 != x1 || r2 != x2 || errno != xerrno {
			t.Fatalf("call %d(%#x): %#x, %#x, %v; x/sys has %#x, %#x, %v", number, a[:3], r1, r2, errno, x1, x2, xerrno)
		}
	}
}

// Results just below the range of errors are results: the kernel has them of lseek in /proc/self/mem.
func TestHighResultsAreNoErrors(t *testing.T) {
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	for _, offset := range []uintptr{1<<63 - 1, 1 << 63, ^uintptr(4095), ^uintptr(4096)} {
		for name, call := range forms {
			r1, _, errno := call(unix.SYS_LSEEK, mem.Fd(), offset, unix.SEEK_SET, 0, 0, 0)
			if r1 != offset || errno != 0 {
				t.Errorf("%s: seek to %#x: %#x, %v", name, offset, r1, errno)
			}
		}
	}
	r1, r2, errno := RawSyscall6(unix.SYS_LSEEK, mem.Fd(), ^uintptr(4094), unix.SEEK_SET, 0, 0, 0)
	if r1 != ^uintptr(0) || r2 != 0 || errno != 4095 {
		t.Errorf("-4095 is the last error; got %#x, %#x, %v", r1, r2, errno)
	}
}

// callOf is what /proc says of a thread that sleeps in a system call: its number and six arguments.
func callOf(tid int) (number uintptr, args [6]uintptr, sleeps bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
	if err != nil || strings.HasPrefix(string(b), "running") {
		return 0, args, false
	}
	n, _ := fmt.Sscanf(string(b), "%d %v %v %v %v %v %v", &number, &args[0], &args[1], &args[2], &args[3], &args[4], &args[5])
	return number, args, n == 7
}

// needsProcSyscall skips a test where /proc does not tell what a thread sleeps in.
func needsProcSyscall(t *testing.T) {
	t.Helper()
	if _, err := os.ReadFile("/proc/thread-self/syscall"); err != nil {
		t.Skipf("tried: %v", err)
	}
}

// A thread sleeps in a futex with six arguments, of which the kernel uses four and shows all.
func TestSixArgumentsArrive(t *testing.T) {
	needsProcSyscall(t)
	// The raw form keeps its P while it sleeps: there must be another, and nothing may stop the world.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for name, call := range forms {
		word := new(uint32)
		const waitBitset, wake = 9 | 128, 1 | 128 // private ones
		timeout := &unix.Timespec{Sec: 1 << 40}   // absolute
		want := [6]uintptr{uintptr(unsafe.Pointer(word)), waitBitset, 0, uintptr(unsafe.Pointer(timeout)), 0x5555555555, 0x66666666}
		thread, done := make(chan int), make(chan unix.Errno)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			// To the scheduler, who sleeps in the raw form runs, and too long: it sends its signal, which ends the wait.
			preemption := SigsetOf(unix.SIGURG)
			old, err := RtSigprocmask(unix.SIG_BLOCK, &preemption)
			if err != nil {
				t.Error(err)
			}
			thread <- unix.Gettid()
			_, _, errno := call(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), waitBitset, 0,
				uintptr(unsafe.Pointer(timeout)), 0x5555555555, 0x66666666)
			if _, err := RtSigprocmask(unix.SIG_SETMASK, &old); err != nil {
				t.Error(err)
			}
			done <- errno
		}()
		tid := <-thread
		var number uintptr
		var args [6]uintptr
		eventually(t, "the thread sleeps", func() (sleeps bool) {
			number, args, sleeps = callOf(tid)
			return sleeps && number == unix.SYS_FUTEX && args[1] == waitBitset
		})
		if args != want {
			t.Errorf("%s: %#x arrived; want %#x", name, args, want)
		}
		eventually(t, "it is woken", func() bool {
			woken, _, _ := RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), wake, 1)
			return woken == 1
		})
		if errno := <-done; errno != 0 {
			t.Errorf("%s: %v", name, errno)
		}
	}
}

// What the caller does not pass is zero, and not what the registers happen to have.
func TestThreeArgumentsArriveAndNoMore(t *testing.T) {
	needsProcSyscall(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd := r.Fd() // blocking from here
	b := new([7]byte)
	thread, done := make(chan int), make(chan uintptr)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		n, _, _ := Syscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(b)), 7)
		done <- n
	}()
	tid := <-thread
	want := [6]uintptr{fd, uintptr(unsafe.Pointer(b)), 7}
	for {
		number, args, sleeps := callOf(tid)
		if !sleeps || number != unix.SYS_READ {
			continue
		}
		if args != want {
			t.Errorf("%#x arrived; want %#x", args, want)
		}
		break
	}
	if _, err := w.WriteString("answer"); err != nil {
		t.Fatal(err)
	}
	if n := <-done; n != 6 || string(b[:n]) != "answer" {
		t.Errorf("%q", b[:n])
	}
}

// A call that no handler's flag restarts ends with EINTR, and stays ended.
func TestInterruptedCallsAreNotRetried(t *testing.T) {
	thread, done := make(chan int), make(chan unix.Errno)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		_, _, errno := Syscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0) // for ever
		done <- errno
	}()
	tid := <-thread
	for {
		if err := unix.Tgkill(unix.Getpid(), tid, unix.SIGURG); err != nil { // which the runtime takes for its own
			t.Fatal(err)
		}
		select {
		case errno := <-done:
			if errno != unix.EINTR {
				t.Errorf("%v; want EINTR", errno)
			}
			return
		default:
			runtime.Gosched()
		}
	}
}

// More threads than there are Ps sleep in the cooperative form, and the program goes on.
func TestSleepingCallsHoldNoP(t *testing.T) {
	needsProcSyscall(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd := r.Fd()
	n := runtime.GOMAXPROCS(0) + 4
	threads, errs := make(chan int, n), make(chan error, n)
	for range n {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			threads <- unix.Gettid()
			var b [1]byte
			if got, _, errno := Syscall6(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&b)), 1, 0, 0, 0); got != 1 || b[0] != 'x' {
				errs <- fmt.Errorf("read %d bytes, %q, %v", got, b, errno)
				return
			}
			errs <- nil
		}()
	}
	for range n {
		tid := <-threads
		for { // until the kernel says that it sleeps there
			if number, args, sleeps := callOf(tid); sleeps && number == unix.SYS_READ && args[0] == fd {
				break
			}
			runtime.Gosched()
		}
	}
	// All of them at once. The collector needs every P, and a new goroutine one.
	runtime.GC()
	ran := make(chan bool)
	go func() { ran <- true }()
	<-ran
	if _, err := w.WriteString(strings.Repeat("x", n)); err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// The kernel writes into variables on stacks that grow, shrink and move between the calls.
func TestAddressesOnTheStackStayRight(t *testing.T) {
	var group sync.WaitGroup
	errs := make(chan error, 32)
	for i := range cap(errs) {
		group.Go(func() { errs <- writeToStack(200 + i) })
	}
	for range 20 {
		runtime.GC()
	}
	group.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// writeToStack has the kernel fill a variable at each depth of the stack, on the way down and up again.
func writeToStack(depth int) error {
	type guarded struct {
		before uint64
		ts     unix.Timespec
		after  uint64
	}
	g := guarded{before: 1, ts: unix.Timespec{Sec: -1, Nsec: -1}, after: 2}
	var now unix.Timespec
	_, _, e1 := RawSyscall6(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&g.ts)), 0, 0, 0, 0)
	_, _, e2 := Syscall6(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&now)), 0, 0, 0, 0)
	if e1 != 0 || e2 != 0 || g.ts.Sec < 0 || now.Nano() < g.ts.Nano() || g.before != 1 || g.after != 2 {
		return fmt.Errorf("depth %d: %+v, then %+v (%v, %v)", depth, g, now, e1, e2)
	}
	if depth == 0 {
		return nil
	}
	err := writeToStack(depth - 1)
	if g.before != 1 || g.after != 2 || now.Nano() < g.ts.Nano() {
		return errors.Join(err, fmt.Errorf("depth %d: changed to %+v, %+v", depth, g, now))
	}
	return err
}

func TestAddressesOnTheStackStayThere(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		var ts unix.Timespec
		RawSyscall6(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&ts)), 0, 0, 0, 0)
		Syscall6(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&ts)), 0, 0, 0, 0)
		RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&ts)), 0)
		Syscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&ts)), 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Go keeps g and a zero in registers, and a chain of frames: all are needed right after the call.
func TestRegistersOfGoSurvive(t *testing.T) {
	for i := range 1000 {
		for _, call := range forms {
			call(beyond, ^uintptr(0), ^uintptr(0), ^uintptr(0), ^uintptr(0), ^uintptr(0), ^uintptr(0))
			var zeroes [256]byte
			zeroes[i%256] = 1
			callers := make([]uintptr, 8)
			if n := runtime.Callers(0, callers); n < 3 {
				t.Fatalf("%d callers", n)
			}
			sum := 0
			for _, b := range zeroes {
				sum += int(b)
			}
			if sum != 1 {
				t.Fatalf("a fresh variable is %v", zeroes)
			}
		}
	}
}
