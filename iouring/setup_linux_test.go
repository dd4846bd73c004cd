package iouring

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// demand makes a ring with flags that came with a kernel, or skips.
func demand(t *testing.T, major, minor int, o Options) *Ring {
	t.Helper()
	if o.SingleIssuer {
		runtime.LockOSThread()
		t.Cleanup(runtime.UnlockOSThread)
	}
	r, err := New(o)
	if err != nil {
		missing(t, major, minor, err)
	}
	t.Cleanup(func() { must(t, r.Close()) })
	if r.Flags()&o.Flags != o.Flags {
		t.Fatalf("flags %v; demanded %v", r.Flags(), o.Flags)
	}
	return r
}

func TestRingsWhoseMemoryTheProgramBrings(t *testing.T) {
	r := demand(t, 6, 5, Options{Entries: 8, Flags: syscalls.IORING_SETUP_NO_MMAP})
	reads(t, r)
	if r.FD() < 0 {
		t.Error("no descriptor")
	}
}

func TestARingWithoutADescriptor(t *testing.T) {
	r := demand(t, 6, 5, Options{Entries: 8, SingleIssuer: true,
		Flags: syscalls.IORING_SETUP_NO_MMAP | syscalls.IORING_SETUP_REGISTERED_FD_ONLY})
	reads(t, r)
	if r.FD() != -1 {
		t.Errorf("descriptor %d", r.FD())
	}
	_, err := r.Probe() // by the registered slot
	must(t, err)
}

// reads runs more operations than the queue has places.
func reads(t *testing.T, r *Ring) {
	t.Helper()
	f := file(t, "0123456789")
	for i := range 20 {
		b := make([]byte, 1)
		result(t, do(t, r, func(e Entry) error { return e.Read(f.fd, b, int64(i%10)) }), 1)
		if b[0] != "0123456789"[i%10] {
			t.Fatalf("read %q at %d", b, i%10)
		}
	}
}

func TestEntriesOf128Bytes(t *testing.T) {
	r := demand(t, 5, 19, Options{Entries: 4, Flags: syscalls.IORING_SETUP_SQE128})
	reads(t, r)
	must(t, get(t, r).UringCmd(0, 0, make([]byte, 80), nil, 0))
	want(t, get(t, r).UringCmd(0, 0, make([]byte, 81), nil, 0), unix.EINVAL)
	nextOf(t, r, 2)
}

func TestCompletionsOf32Bytes(t *testing.T) {
	r := demand(t, 5, 19, Options{Entries: 4, Flags: syscalls.IORING_SETUP_CQE32})
	reads(t, r)
	c := do(t, r, func(e Entry) error { return wideNop(e, 0, 7, 8) })
	if c.Err() != nil {
		if k := running(t); k.Release.Major > 6 || k.Release.Minor >= 18 {
			t.Error(c)
		}
	} else if want := (Extra{7, 8}); c.Extra != want {
		t.Errorf("%v with %v; want %v", c, c.Extra, want)
	}
}

// wideNop completes with the result and, in the second half, two numbers.
func wideNop(e Entry, result int32, first, second uint64) error {
	err := e.NopWith(syscalls.IORING_NOP_CQE32|syscalls.IORING_NOP_INJECT_RESULT, result, 0, 0)
	q := e.ring.sqe(e.pos)
	q.Off, q.Addr = first, second
	return err
}

// TestCompletionsOfMixedSizes mixes them over the end of the queue, where the kernel fills a gap.
func TestCompletionsOfMixedSizes(t *testing.T) {
	r := demand(t, 6, 18, Options{Entries: 4, Flags: syscalls.IORING_SETUP_CQE_MIXED})
	for i := range 50 {
		var tokens []Token
		for j := range 1 + i%3 {
			e := get(t, r)
			tokens = append(tokens, e.Token())
			if (i+j)%2 == 0 {
				must(t, wideNop(e, int32(i), 7, uint64(j)))
			} else {
				must(t, e.NopWith(syscalls.IORING_NOP_INJECT_RESULT, int32(i), 0, 0))
			}
		}
		for j, tok := range tokens {
			c := next(t, r)
			var extra Extra
			if (i+j)%2 == 0 {
				extra = Extra{7, uint64(j)}
			}
			if c.Token != tok || int(c.Res) != i || (c.Flags&syscalls.IORING_CQE_F_32 != 0) != ((i+j)%2 == 0) || c.Extra != extra {
				t.Fatalf("round %d: %v with %v; want %v", i, c, c.Extra, extra)
			}
		}
	}
	none(t, r)
}

// TestPolledCompletions needs a file system and a device that can be polled; without them the kernel says so.
func TestPolledCompletions(t *testing.T) {
	r := newRing(t, Options{Entries: 4, Flags: syscalls.IORING_SETUP_IOPOLL})
	path := t.TempDir() + "/f"
	must(t, os.WriteFile(path, make([]byte, 8192), 0o600))
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("O_DIRECT: %v", err)
	}
	f := newEnd(t, fd, err)
	a, err := r.NewArena(4096, 1)
	must(t, err)
	b, err := a.Get()
	must(t, err)
	c := do(t, r, func(e Entry) error { return e.Read(f.fd, b, 4096) })
	if c.Err() != nil {
		failed(t, c, unix.EOPNOTSUPP)
		t.Skipf("the device cannot be polled: %v", c)
	}
	result(t, c, 4096)
}

// TestAThreadThatSleepsIsWoken lets the kernel's thread fall asleep, again and again: a lost wake-up is a hang.
func TestAThreadThatSleepsIsWoken(t *testing.T) {
	r := newRing(t, Options{Entries: 4, Flags: syscalls.IORING_SETUP_SQPOLL, SQThreadIdle: time.Millisecond})
	slept := 0
	for range 30 {
		for deadline := time.Now().Add(20 * time.Millisecond); !r.needsWakeup() && time.Now().Before(deadline); {
			time.Sleep(100 * time.Microsecond)
		}
		if r.needsWakeup() {
			slept++
		}
		result(t, do(t, r, Entry.Nop), 0)
	}
	if slept == 0 {
		t.Error("it never slept")
	}
	for range 4 {
		must(t, get(t, r).Nop())
	}
	_, err := r.Submit()
	must(t, err)
	must(t, r.WaitForRoom())
	must(t, get(t, r).Nop())
	nextOf(t, r, 5)
}

func TestRingsShareWorkers(t *testing.T) {
	a := newRing(t, Options{Entries: 4, Flags: syscalls.IORING_SETUP_SQPOLL})
	b := newRing(t, Options{Entries: 4, Flags: syscalls.IORING_SETUP_SQPOLL, Attach: a})
	reads(t, a)
	reads(t, b)
	// The thread of an earlier ring may be on its way out.
	for deadline := time.Now().Add(longest); threads(t, "iou-sqp") != 1; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d threads of the kernel for two rings", threads(t, "iou-sqp"))
		}
	}
}

// threads counts threads of this process by the begin of their names.
func threads(t *testing.T, prefix string) (n int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	must(t, err)
	for _, task := range tasks {
		name, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm")
		if strings.HasPrefix(string(name), prefix) {
			n++
		}
	}
	return n
}

func TestADisabledRingTakesNothing(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := newRing(t, Options{SingleIssuer: true, Flags: syscalls.IORING_SETUP_R_DISABLED})
	must(t, get(t, r).Nop())
	_, err := r.Submit()
	want(t, err, unix.EBADFD)
	must(t, r.EnableRings())
	want(t, r.EnableRings(), unix.EBADFD)
	result(t, next(t, r), 0) // the entry had stayed
}

func TestRestrictionsHold(t *testing.T) {
	r := newRing(t, Options{Flags: syscalls.IORING_SETUP_R_DISABLED})
	want(t, r.RegisterRestrictions(nil), unix.EINVAL)
	must(t, r.RegisterRestrictions([]syscalls.IoUringRestriction{
		{Opcode: syscalls.IORING_RESTRICTION_SQE_OP, Value: uint8(syscalls.IORING_OP_READ)},
		{Opcode: syscalls.IORING_RESTRICTION_SQE_OP, Value: uint8(syscalls.IORING_OP_ASYNC_CANCEL)},
		{Opcode: syscalls.IORING_RESTRICTION_REGISTER_OP, Value: uint8(syscalls.IORING_REGISTER_ENABLE_RINGS)},
	}))
	must(t, r.EnableRings())
	f := file(t, "x")
	result(t, do(t, r, func(e Entry) error { return e.Read(f.fd, make([]byte, 1), 0) }), 1)
	failed(t, do(t, r, Entry.Nop), unix.EACCES)
	want(t, r.RegisterFiles([]int{0}), fs.ErrPermission)
	rd, _ := pipe(t) // Close cancels by the operation, because it may not by the other call
	start(t, r, func(e Entry) error { return e.Read(rd.fd, make([]byte, 1), -1) })
	must(t, r.Close())
}

func TestResizeKeepsWhatIsInFlight(t *testing.T) {
	r := newRing(t, Options{Entries: 4, SingleIssuer: true})
	if r.Flags()&syscalls.IORING_SETUP_DEFER_TASKRUN == 0 {
		t.Skip("no IORING_SETUP_DEFER_TASKRUN before 6.1")
	}
	rd, w := pipe(t)
	b := make([]byte, 1)
	read := start(t, r, func(e Entry) error { return e.Read(rd.fd, b, -1) })
	nop := start(t, r, Entry.Nop) // its completion is in the queue
	if err := r.Resize(64, 128); err != nil {
		missing(t, 6, 13, err)
	}
	if sq, cq := r.Entries(); sq != 64 || cq != 128 || r.Room() != 64 {
		t.Errorf("%d entries, %d completions, room for %d", sq, cq, r.Room())
	}
	if c := next(t, r); c.Token != nop {
		t.Fatal(c)
	}
	w.write("x")
	if c := next(t, r); c.Token != read || b[0] != 'x' {
		t.Fatal(c)
	}
	for range 64 {
		must(t, get(t, r).Nop())
	}
	want(t, r.Resize(4, 0), unix.EBUSY)
	nextOf(t, r, 64)
	must(t, r.Resize(4, 8))
	reads(t, r)
	want(t, r.Resize(0, 0), unix.EINVAL)
}

func TestRegisteredWaitsEnd(t *testing.T) {
	r := newRing(t, Options{SingleIssuer: true, Flags: syscalls.IORING_SETUP_R_DISABLED})
	if err := r.RegisterWaits(4); err != nil {
		missing(t, 6, 13, err)
	}
	must(t, r.EnableRings())
	must(t, r.SetRegisteredWait(1, 20*time.Millisecond, 0))
	must(t, r.SetRegisteredWait(2, -1, 0))
	want(t, r.SetRegisteredWait(1000, 0, 0), unix.EINVAL)
	for _, n := range []int{-1, 1 << 20} {
		_, err := r.SubmitAndWaitRegistered(n, 1)
		want(t, err, unix.EINVAL)
	}
	must(t, r.SetRegisteredWait(3, -1, 2*time.Hour)) // more microseconds than the kernel can count
	if w, err := r.registeredWait(3); err != nil || w.MinWaitUsec != math.MaxUint32 {
		t.Errorf("%d µs, %v", w.MinWaitUsec, err)
	}
	from := time.Now()
	n, err := r.SubmitAndWaitRegistered(1, 1)
	if n != 0 || err != nil || time.Since(from) < 20*time.Millisecond {
		t.Errorf("%d, %v after %v", n, err, time.Since(from))
	}
	must(t, get(t, r).Nop())
	n, err = r.SubmitAndWaitRegistered(1, 2)
	if n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestARegisteredRingIsFoundByItsSlot(t *testing.T) {
	any := newRing(t, Options{})
	want(t, any.RegisterRingFD(), unix.EINVAL) // it may move to another thread
	r := newRing(t, Options{SingleIssuer: true})
	must(t, r.RegisterRingFD())
	want(t, r.RegisterRingFD(), unix.EINVAL)
	reads(t, r)
	must(t, r.UnregisterRingFD())
	reads(t, r)
	must(t, r.RegisterRingFD()) // and Close gives the slot back
}

func TestTheProbeIsTheQuerysAnswer(t *testing.T) {
	r := newRing(t, Options{})
	p, err := r.Probe()
	must(t, err)
	for _, op := range []syscalls.IoUringOp{syscalls.IORING_OP_NOP, syscalls.IORING_OP_SENDMSG_ZC} {
		must(t, p.Missing(op))
	}
	want(t, p.Missing(200), errors.ErrUnsupported)
	q, err := Query()
	if err != nil {
		missing(t, 6, 18, err)
	}
	for op := range 256 {
		if known := uint32(op) < q.RequestOps; !known && p.Has(syscalls.IoUringOp(op)) {
			t.Errorf("%v is more than the kernel has", syscalls.IoUringOp(op))
		}
	}
	if q.SetupFlags&uint64(r.Flags()) != uint64(r.Flags()) || q.Features != uint64(r.Features()) {
		t.Errorf("%+v; the ring has %v, %v", q, r.Flags(), r.Features())
	}
}

func TestSettingsAreReadBack(t *testing.T) {
	r := newRing(t, Options{})
	_, _, err := r.SetWorkers(3, 5)
	must(t, err)
	if a, b, err := r.SetWorkers(0, 0); a != 3 || b != 5 || err != nil {
		t.Error(a, b, err)
	}
	var set unix.CPUSet
	must(t, unix.SchedGetaffinity(0, &set))
	must(t, r.SetWorkerAffinity(&set))
	must(t, r.SetWorkerAffinity(nil))
	if err := r.SetClock(unix.CLOCK_BOOTTIME); err != nil {
		missing(t, 6, 12, err)
	}
	want(t, r.SetClock(99), unix.EINVAL)
	if n, err := r.SubmitAndWait(1, time.Millisecond); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestNAPISettingsAreReadBack(t *testing.T) {
	r := newRing(t, Options{})
	if _, _, err := r.SetNAPI(-time.Second, false); !strings.Contains(fmt.Sprint(err), "busy for -1s") {
		t.Error(err)
	}
	if _, _, err := r.SetNAPI(50*time.Microsecond, true); err != nil {
		if k := running(t); (k.Release.Major > 6 || k.Release.Minor >= 9) && k.Reference {
			t.Fatal(err)
		}
		t.Skipf("since 6.9, where the kernel was built for it: %v", err)
	}
	if d, prefer, err := r.UnsetNAPI(); d != 50*time.Microsecond || !prefer || err != nil {
		t.Error(d, prefer, err)
	}
}

func TestAPersonalityOpensWhatItsOwnerMay(t *testing.T) {
	r := newRing(t, Options{})
	id, err := r.RegisterPersonality()
	must(t, err)
	c := do(t, r, func(e Entry) error {
		must(t, e.SetPersonality(id))
		return e.Openat(unix.AT_FDCWD, "/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	})
	must(t, c.Err())
	newEnd(t, int(c.Res), nil)
	must(t, r.UnregisterPersonality(id))
	want(t, r.UnregisterPersonality(id), unix.EINVAL)
	failed(t, do(t, r, func(e Entry) error {
		must(t, e.SetPersonality(id))
		return e.Openat(unix.AT_FDCWD, "/proc/self/status", unix.O_RDONLY, 0)
	}), unix.EINVAL)
}

func TestAnEventfdCountsCompletions(t *testing.T) {
	r := newRing(t, Options{})
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	counter := newEnd(t, fd, err)
	must(t, r.RegisterEventfd(counter.fd, false))
	want(t, r.RegisterEventfd(counter.fd, false), unix.EBUSY)
	signalled := func() bool {
		_, err := unix.Read(counter.fd, make([]byte, 8))
		return err == nil
	}
	result(t, do(t, r, Entry.Nop), 0)
	if !signalled() {
		t.Error("no signal")
	}
	must(t, r.SetEventfdEnabled(false))
	result(t, do(t, r, Entry.Nop), 0)
	if signalled() {
		t.Error("a signal, though they are off")
	}
	must(t, r.SetEventfdEnabled(true))
	must(t, r.UnregisterEventfd())
	want(t, r.UnregisterEventfd(), unix.ENXIO)
}

func TestMessagesNeedNoRing(t *testing.T) {
	r := newRing(t, Options{})
	done := make(chan error)
	go func() { done <- PostMessage(r.FD(), 5, 6) }()
	n, err := r.SubmitAndWait(1, 10*time.Millisecond)
	if posted := <-done; posted != nil {
		missing(t, 6, 13, posted)
	}
	must(t, err)
	if n == 0 {
		_, err = r.SubmitAndWait(1, longest)
		must(t, err)
	}
	if c := next(t, r); c.Token != Message(5) || c.Res != 6 {
		t.Error(c)
	}
}

func TestSyncCancelCancels(t *testing.T) {
	r := newRing(t, Options{})
	rd, _ := pipe(t)
	tok := start(t, r, func(e Entry) error { return e.PollAdd(rd.fd, unix.POLLIN) })
	must(t, r.SyncCancel(tok, -1, 0, 0, longest))
	failed(t, next(t, r), unix.ECANCELED)
	want(t, r.SyncCancel(tok, -1, 0, 0, 0), unix.ENOENT)
}

// TestSizesAreTheKernels compares the layout of what the kernel takes by address.
func TestSizesAreTheKernels(t *testing.T) {
	if unsafe.Sizeof(futexWaitv{}) != 24 || unsafe.Offsetof(futexWaitv{}.flags) != 16 {
		t.Error("struct futex_waitv of linux/futex.h has 24 bytes, flags at 16")
	}
}
