package syscalls

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

func address(p *uint32) uintptr { return uintptr(unsafe.Pointer(p)) }

// Each wait sleeps in the kernel, as /proc says, and each wake finds exactly that one thread.
func TestWakeFindsWhoSleeps(t *testing.T) {
	for _, tt := range []struct {
		name string
		wait func(word *uint32) error
		wake func(word *uint32) (int, error)
	}{
		{
			"wait", func(w *uint32) error { return FutexWait(w, 7, FUTEX_PRIVATE_FLAG, -1) },
			func(w *uint32) (int, error) { return FutexWake(w, FutexAll, FUTEX_PRIVATE_FLAG) },
		},
		{
			"shared", func(w *uint32) error { return FutexWait(w, 7, 0, time.Hour) },
			func(w *uint32) (int, error) { return FutexWake(w, 1, 0) },
		},
		{
			"bitset", func(w *uint32) error { return FutexWaitBitset(w, 7, 2, FUTEX_PRIVATE_FLAG, nil) },
			func(w *uint32) (int, error) {
				if n, err := FutexWakeBitset(w, FutexAll, 4, FUTEX_PRIVATE_FLAG); n != 0 || err != nil {
					return n, fmt.Errorf("a mask without a bit in common woke %d: %w", n, err)
				}
				return FutexWakeBitset(w, FutexAll, 6, FUTEX_PRIVATE_FLAG)
			},
		},
		{
			"futex2", func(w *uint32) error {
				return Futex2Wait(w, 7, 2, FUTEX2_SIZE_U32|FUTEX2_PRIVATE, nil, unix.CLOCK_MONOTONIC)
			},
			func(w *uint32) (int, error) {
				if n, err := Futex2Wake(w, FUTEX_BITSET_MATCH_ANY, 0, FUTEX2_SIZE_U32|FUTEX2_PRIVATE); n != 0 || err != nil {
					return n, fmt.Errorf("a wake of none woke %d: %w", n, err)
				}
				return Futex2Wake(w, 3, FutexAll, FUTEX2_SIZE_U32|FUTEX2_PRIVATE)
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			word := new(uint32)
			if tt.name == "futex2" {
				needFutex2(t)
			}
			expect(t, tt.wait(word), unix.EAGAIN) // 0 is not 7
			*word = 7
			s := startSleeper(t, func() error { return tt.wait(word) })
			s.asleep(t, address(word))
			if n, err := tt.wake(word); n != 1 || err != nil {
				t.Fatalf("woke %d, %v; want 1", n, err)
			}
			s.woken(t, nil)
			if n, err := tt.wake(word); n != 0 || err != nil {
				t.Fatalf("woke %d, %v; want 0", n, err)
			}
		})
	}
}

func needFutex2(t *testing.T) {
	t.Helper()
	if _, err := Futex2Wake(new(uint32), FUTEX_BITSET_MATCH_ANY, 1, FUTEX2_SIZE_U32|FUTEX2_PRIVATE); isError(err, unix.ENOSYS) {
		featuretest.Skip(t, features.Futex2, err)
	}
}

func TestTimeoutsAreByTheClockThatWasAsked(t *testing.T) {
	word := new(uint32)
	now := func(clock int32) *unix.Timespec {
		var ts unix.Timespec
		if err := unix.ClockGettime(clock, &ts); err != nil {
			t.Fatal(err)
		}
		return &ts
	}
	soon := func(clock int32) *unix.Timespec {
		ts := now(clock)
		*ts = unix.NsecToTimespec(ts.Nano() + int64(time.Millisecond))
		return ts
	}
	const real = FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME
	for _, tt := range []struct {
		name  string
		clock int32
		wait  func(deadline *unix.Timespec) error
	}{
		{"wait", unix.CLOCK_MONOTONIC, func(*unix.Timespec) error { return FutexWait(word, 0, FUTEX_PRIVATE_FLAG, time.Millisecond) }},
		{"bitset", unix.CLOCK_MONOTONIC, func(d *unix.Timespec) error { return FutexWaitBitset(word, 0, 1, FUTEX_PRIVATE_FLAG, d) }},
		{"bitset realtime", unix.CLOCK_REALTIME, func(d *unix.Timespec) error { return FutexWaitBitset(word, 0, 1, real, d) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			deadline := soon(tt.clock)
			expect(t, tt.wait(deadline), unix.ETIMEDOUT)
			if now(tt.clock).Nano() < deadline.Nano() {
				t.Error("it returned before the time")
			}
		})
	}
	bad := &unix.Timespec{Nsec: 1e9}
	expect(t, FutexWaitBitset(word, 0, 1, FUTEX_PRIVATE_FLAG, bad), unix.EINVAL)
	expect(t, FutexWaitBitset(word, 0, 0, FUTEX_PRIVATE_FLAG, nil), unix.EINVAL) // nothing could wake it
}

func TestCountsThatTheKernelCannotMeanAreRefused(t *testing.T) {
	word := new(uint32)
	for _, n := range []int{-1, FutexAll + 1} {
		_, err := FutexWake(word, n, FUTEX_PRIVATE_FLAG)
		expect(t, err, unix.EINVAL)
		_, err = FutexWakeBitset(word, n, 1, FUTEX_PRIVATE_FLAG)
		expect(t, err, unix.EINVAL)
		_, err = FutexRequeue(word, n, 1, word, FUTEX_PRIVATE_FLAG)
		expect(t, err, unix.EINVAL)
		_, err = FutexCmpRequeue(word, 0, 1, n, word, FUTEX_PRIVATE_FLAG)
		expect(t, err, unix.EINVAL)
		_, err = FutexWakeOp(word, 1, word, n, FutexOp{}, FUTEX_PRIVATE_FLAG)
		expect(t, err, unix.EINVAL)
		_, err = Futex2Wake(word, 1, n, FUTEX2_SIZE_U32)
		expect(t, err, unix.EINVAL)
		_, err = Futex2Requeue(FutexWaiter{}, FutexWaiter{}, n, 0)
		expect(t, err, unix.EINVAL)
	}
	_, err := FutexWakeBitset(word, 1, 0, FUTEX_PRIVATE_FLAG)
	expect(t, err, unix.EINVAL)
}

// Three sleep on one word; one is woken, one moved to another word, where it is woken, and one stays.
func TestRequeueMovesSleepersToAnotherWord(t *testing.T) {
	var from, to *uint32
	for _, tt := range []struct {
		name  string
		move  func(wake, requeue int) (int, error)
		stale func() error
	}{
		{
			"requeue", func(wake, requeue int) (int, error) { return FutexRequeue(from, wake, requeue, to, FUTEX_PRIVATE_FLAG) },
			func() error { _, err := FutexRequeue(from, 0, 0, to, FUTEX_PRIVATE_FLAG|1<<9); return err },
		},
		{
			"cmp_requeue", func(wake, requeue int) (int, error) {
				return FutexCmpRequeue(from, 0, wake, requeue, to, FUTEX_PRIVATE_FLAG)
			},
			func() error { _, err := FutexCmpRequeue(from, 1, 1, 1, to, FUTEX_PRIVATE_FLAG); return err },
		},
		{
			"futex2", func(wake, requeue int) (int, error) {
				const flags = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE
				return Futex2Requeue(FutexWaiter{Addr: from, Flags: flags}, FutexWaiter{Addr: to, Flags: flags}, wake, requeue)
			},
			func() error {
				const flags = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE
				_, err := Futex2Requeue(FutexWaiter{Addr: from, Val: 1, Flags: flags}, FutexWaiter{Addr: to, Flags: flags}, 1, 1)
				return err
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "futex2" {
				needFutex2(t)
			}
			words := new([2]uint32)
			from, to = &words[0], &words[1]
			done := make(chan error, 3)
			for range 3 {
				s := startSleeper(t, func() error { err := FutexWait(from, 0, FUTEX_PRIVATE_FLAG, -1); done <- err; return err })
				s.asleep(t, address(from))
			}
			if n, err := tt.move(1, 1); n != 2 || err != nil {
				t.Fatalf("%d, %v; want one woken and one moved", n, err)
			}
			expect(t, <-done, nil)
			want := unix.EAGAIN
			if tt.name == "requeue" {
				want = unix.ENOSYS // of an operation that does not exist
			}
			expect(t, tt.stale(), want)
			if n, err := FutexWake(to, FutexAll, FUTEX_PRIVATE_FLAG); n != 1 || err != nil {
				t.Fatalf("woke %d, %v where one was moved to", n, err)
			}
			expect(t, <-done, nil)
			if n, err := FutexWake(from, FutexAll, FUTEX_PRIVATE_FLAG); n != 1 || err != nil {
				t.Fatalf("woke %d, %v where one stayed", n, err)
			}
			expect(t, <-done, nil)
		})
	}
}

func TestWakeOpChangesOneWordAndWakesTwo(t *testing.T) {
	words := new([2]uint32)
	for _, tt := range []struct {
		op          FutexOp
		from, to    uint32
		wakesSecond bool
	}{
		{FutexOp{Do: FUTEX_OP_SET, Arg: 5, If: FUTEX_OP_CMP_EQ, Than: 3}, 3, 5, true},
		{FutexOp{Do: FUTEX_OP_SET, Arg: 5, If: FUTEX_OP_CMP_NE, Than: 3}, 3, 5, false},
		{FutexOp{Do: FUTEX_OP_ADD, Arg: -1, If: FUTEX_OP_CMP_LT, Than: -1}, 0xfffffffe, 0xfffffffd, true},
		{FutexOp{Do: FUTEX_OP_OR, Arg: 31, Shifted: true, If: FUTEX_OP_CMP_GT, Than: 6}, 7, 1<<31 | 7, true},
		{FutexOp{Do: FUTEX_OP_ANDN, Arg: 6, If: FUTEX_OP_CMP_LE, Than: 6}, 7, 1, false},
		{FutexOp{Do: FUTEX_OP_XOR, Arg: 3, If: FUTEX_OP_CMP_GE, Than: 6}, 6, 5, true},
	} {
		words[0], words[1] = 0, tt.from
		first := startSleeper(t, func() error { return FutexWait(&words[0], 0, FUTEX_PRIVATE_FLAG, -1) })
		second := startSleeper(t, func() error { return FutexWait(&words[1], tt.from, FUTEX_PRIVATE_FLAG, -1) })
		first.asleep(t, address(&words[0]))
		second.asleep(t, address(&words[1]))
		n, err := FutexWakeOp(&words[0], 1, &words[1], 1, tt.op, FUTEX_PRIVATE_FLAG)
		want := 1
		if tt.wakesSecond {
			want = 2
		}
		if n != want || err != nil || words[1] != tt.to {
			t.Errorf("%+v made %#x of %#x and woke %d, %v; want %#x, %d", tt.op, words[1], tt.from, n, err, tt.to, want)
		}
		first.woken(t, nil)
		if !tt.wakesSecond {
			if n, err := FutexWake(&words[1], 1, FUTEX_PRIVATE_FLAG); n != 1 || err != nil {
				t.Errorf("woke %d, %v", n, err)
			}
		}
		second.woken(t, nil)
	}
	for _, op := range []FutexOp{{Arg: 2048}, {Than: -2049}, {Arg: 32, Shifted: true}, {Do: 5}, {If: 6}} {
		_, err := FutexWakeOp(&words[0], 1, &words[1], 1, op, FUTEX_PRIVATE_FLAG)
		expect(t, err, unix.EINVAL)
	}
}

func TestWaitvTellsWhichOfThemWoke(t *testing.T) {
	words := new([3]uint32)
	var waiters []FutexWaiter
	for i := range words {
		waiters = append(waiters, FutexWaiter{Addr: &words[i], Flags: FUTEX2_SIZE_U32 | FUTEX2_PRIVATE})
	}
	past := &unix.Timespec{Sec: 1}
	if _, err := FutexWaitv(waiters, past, unix.CLOCK_MONOTONIC); isError(err, unix.ENOSYS) {
		featuretest.Skip(t, features.FutexWaitv, err)
	}
	woke := make(chan int, 1)
	s := startSleeper(t, func() error {
		i, err := FutexWaitv(waiters, nil, 0)
		woke <- i
		return err
	})
	s.asleep(t, uintptr(unsafe.Pointer(&waiters[0])))
	if n, err := FutexWake(&words[2], 1, FUTEX_PRIVATE_FLAG); n != 1 || err != nil {
		t.Fatalf("woke %d, %v", n, err)
	}
	s.woken(t, nil)
	if i := <-woke; i != 2 {
		t.Errorf("number %d woke it", i)
	}

	_, err := FutexWaitv(waiters, past, unix.CLOCK_REALTIME)
	expect(t, err, unix.ETIMEDOUT)
	_, err = FutexWaitv(nil, nil, 0)
	expect(t, err, unix.EINVAL)
	_, err = FutexWaitv(make([]FutexWaiter, FUTEX_WAITV_MAX+1), nil, 0)
	expect(t, err, unix.EINVAL)
	waiters[1].Val = 1
	_, err = FutexWaitv(waiters, nil, 0)
	expect(t, err, unix.EAGAIN)
}

func TestFutex2RefusesWhatItDoesNotKnow(t *testing.T) {
	needFutex2(t)
	word := new(uint32)
	const flags = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE
	expect(t, Futex2Wait(word, 0, 1, flags, &unix.Timespec{Sec: 1}, unix.CLOCK_MONOTONIC), unix.ETIMEDOUT)
	expect(t, Futex2Wait(word, 0, 1, flags, &unix.Timespec{Sec: 1}, unix.CLOCK_BOOTTIME), unix.EINVAL)
	expect(t, Futex2Wait(word, 0, 0, flags, nil, 0), unix.EINVAL)
	expect(t, Futex2Wait(word, 1<<32, 1, flags, nil, 0), unix.EINVAL)
	expect(t, Futex2Wait(word, 0, 1, FUTEX2_SIZE_U64, nil, 0), unix.EINVAL)
	_, err := Futex2Wake(word, 0, 1, flags)
	expect(t, err, unix.EINVAL)
	_, err = Futex2Requeue(FutexWaiter{Addr: word, Flags: flags}, FutexWaiter{Addr: word, Flags: FUTEX2_SIZE_U32}, 1, 1)
	expect(t, err, unix.EINVAL)
}

func TestPriorityInheritingLockHasOneOwner(t *testing.T) {
	past := &unix.Timespec{Sec: 1}
	for name, lock := range map[string]func(word *uint32, deadline *unix.Timespec) error{
		"lock_pi":  func(w *uint32, d *unix.Timespec) error { return FutexLockPI(w, FUTEX_PRIVATE_FLAG, d) },
		"lock_pi2": func(w *uint32, d *unix.Timespec) error { return FutexLockPI2(w, FUTEX_PRIVATE_FLAG, d) },
		"lock_pi2 realtime": func(w *uint32, d *unix.Timespec) error {
			return FutexLockPI2(w, FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME, d)
		},
	} {
		t.Run(name, func(t *testing.T) {
			word := new(uint32)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			me := uint32(unix.Gettid())
			expect(t, lock(word, nil), nil)
			if *word != me {
				t.Fatalf("the word is %#x, the owner %#x", *word, me)
			}
			expect(t, lock(word, nil), unix.EDEADLK)
			refused := make(chan bool)
			s := startSleeper(t, func() error {
				defer close(refused)
				if err := FutexTrylockPI(word, FUTEX_PRIVATE_FLAG); !isError(err, unix.EAGAIN) {
					return fmt.Errorf("tried the lock of another: %w", err)
				}
				if err := FutexUnlockPI(word, FUTEX_PRIVATE_FLAG); !isError(err, unix.EPERM) {
					return fmt.Errorf("unlocked for another: %w", err)
				}
				if err := lock(word, past); !isError(err, unix.ETIMEDOUT) {
					return fmt.Errorf("waited until a time long past: %w", err)
				}
				refused <- true // only from here on does it sleep for good
				if err := lock(word, nil); err != nil {
					return err
				}
				if *word&FUTEX_TID_MASK != uint32(unix.Gettid()) { // the bit for waiters may stay when none is left
					return fmt.Errorf("the word is %#x, the owner %#x", *word, unix.Gettid())
				}
				return FutexUnlockPI(word, FUTEX_PRIVATE_FLAG)
			})
			if !<-refused {
				t.Fatal(<-s.done)
			}
			s.asleep(t, address(word))
			if *word != me|FUTEX_WAITERS {
				t.Errorf("the word is %#x, want waiters and the owner, %#x", *word, me)
			}
			expect(t, FutexUnlockPI(word, FUTEX_PRIVATE_FLAG), nil)
			s.woken(t, nil)
			if *word != 0 {
				t.Errorf("the word of a free lock is %#x", *word)
			}
			expect(t, FutexTrylockPI(word, FUTEX_PRIVATE_FLAG), nil)
			expect(t, FutexUnlockPI(word, FUTEX_PRIVATE_FLAG), nil)
		})
	}
}

func TestRobustFutexOfADeadThreadIsHandedOn(t *testing.T) {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	type node struct {
		next uintptr
		word uint32
	}
	head := (*RobustListHead)(unsafe.Pointer(&page[0]))
	lock := (*node)(unsafe.Pointer(&page[64]))
	lock.next = uintptr(unsafe.Pointer(head))
	head.First = uintptr(unsafe.Pointer(lock))
	head.FutexOffset = int64(unsafe.Offsetof(lock.word))

	ready, die := make(chan int), make(chan bool)
	failed := make(chan error, 1)
	go func() {
		lockOtherThread() // and never unlocks: the thread ends with the goroutine
		lock.word = uint32(unix.Gettid()) | FUTEX_WAITERS
		failed <- SetRobustList(head)
		ready <- unix.Gettid()
		<-die
	}()
	expect(t, <-failed, nil)
	owner := <-ready
	if got, err := RobustList(owner); got != uintptr(unsafe.Pointer(head)) || err != nil {
		t.Errorf("the kernel has a list at %#x, %v; want %p", got, err, head)
	}
	s := startSleeper(t, func() error { return FutexWait(&lock.word, uint32(owner)|FUTEX_WAITERS, 0, -1) })
	s.asleep(t, address(&lock.word))
	close(die)
	s.woken(t, nil)
	if lock.word != FUTEX_WAITERS|FUTEX_OWNER_DIED {
		t.Errorf("the word is %#x", lock.word)
	}

	_, err = RobustList(1 << 30) // above any limit of thread IDs
	expect(t, err, unix.ESRCH)
	_, _, errno := RawSyscall6(unix.SYS_SET_ROBUST_LIST, 0, 1, 0, 0, 0, 0)
	if errno != unix.EINVAL {
		t.Errorf("a list head of one byte is answered with %v", errno)
	}
	onThread(func() {
		if err := SetRobustList(nil); err != nil {
			t.Error(err)
		}
		if got, err := RobustList(0); got != 0 || err != nil {
			t.Errorf("a thread without a list has %#x, %v", got, err)
		}
	})
}

// More goroutines than Go has processors sleep in the kernel, and Go collects garbage, which needs all processors.
func TestSleepersHoldNoProcessor(t *testing.T) {
	word := new(uint32)
	sleepers := make([]*sleeper, runtime.GOMAXPROCS(0)+4)
	for i := range sleepers {
		sleepers[i] = startSleeper(t, func() error { return FutexWait(word, 0, FUTEX_PRIVATE_FLAG, -1) })
	}
	for _, s := range sleepers {
		s.asleep(t, address(word))
	}
	runtime.GC()
	if n, err := FutexWake(word, FutexAll, FUTEX_PRIVATE_FLAG); n != len(sleepers) || err != nil {
		t.Errorf("woke %d of %d, %v", n, len(sleepers), err)
	}
	for _, s := range sleepers {
		s.woken(t, nil)
	}
}

func TestFutexFlagsAreNamed(t *testing.T) {
	for _, tt := range []struct {
		got  fmt.Stringer
		want string
	}{
		{FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, "FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME"},
		{FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, "FUTEX2_SIZE_U32|FUTEX2_PRIVATE"},
		{FUTEX2_SIZE_U8, "FUTEX2_SIZE_U8"},
		{FUTEX_OP_XOR, "FUTEX_OP_XOR"},
		{FUTEX_OP_CMP_GE, "FUTEX_OP_CMP_GE"},
	} {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestFutexMirrors(t *testing.T) {
	t.Run("RobustListHead", func(t *testing.T) {
		checkLayout(t, RobustListHead{}, "robust_list_head", map[string]string{"First": "list.next", "Pending": "list_op_pending"})
	})
	t.Run("FutexWaiter", func(t *testing.T) { checkLayout(t, FutexWaiter{}, "futex_waitv", map[string]string{"Addr": "uaddr"}) })
}
