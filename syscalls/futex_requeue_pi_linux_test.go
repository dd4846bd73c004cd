package syscalls

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Three wait on a condition of a lock that is held. Moved to the lock, none wakes before it can own it, and each
// finds its own number in the word.
func TestWaitersOfAConditionGetTheLockOneByOne(t *testing.T) {
	words := new([2]uint32)
	cond, lock := &words[0], &words[1]
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	expect(t, FutexLockPI(lock, FUTEX_PRIVATE_FLAG, nil), nil)

	var owners atomic.Int32
	waiters := make([]*sleeper, 3)
	for i := range waiters {
		waiters[i] = startSleeper(t, func() error {
			if err := FutexWaitRequeuePI(cond, 0, lock, FUTEX_PRIVATE_FLAG, nil); err != nil {
				return err
			}
			if owner := atomic.LoadUint32(lock) & FUTEX_TID_MASK; owner != uint32(unix.Gettid()) {
				return fmt.Errorf("the owner is %d, and not %d", owner, unix.Gettid())
			}
			if n := owners.Add(1); n != 1 {
				return fmt.Errorf("the lock has %d owners", n)
			}
			owners.Add(-1)
			return FutexUnlockPI(lock, FUTEX_PRIVATE_FLAG)
		})
		waiters[i].asleep(t, address(cond))
	}
	// Such waiters are not woken any other way.
	_, err := FutexWake(cond, FutexAll, FUTEX_PRIVATE_FLAG)
	expect(t, err, unix.EINVAL)
	_, err = FutexCmpRequeue(cond, 0, 1, 1, lock, FUTEX_PRIVATE_FLAG)
	expect(t, err, unix.EINVAL)
	_, err = FutexCmpRequeuePI(cond, 1, FutexAll, lock, FUTEX_PRIVATE_FLAG)
	expect(t, err, unix.EAGAIN)

	if n, err := FutexCmpRequeuePI(cond, 0, 0, lock, FUTEX_PRIVATE_FLAG); n != 1 || err != nil {
		t.Fatalf("moved %d, %v; want the one that is first", n, err)
	}
	if n, err := FutexCmpRequeuePI(cond, 0, FutexAll, lock, FUTEX_PRIVATE_FLAG); n != 2 || err != nil {
		t.Fatalf("moved %d, %v; want the other two", n, err)
	}
	for _, w := range waiters {
		w.asleep(t, address(cond)) // of the lock, but the call is the same
	}
	if got, want := atomic.LoadUint32(lock), uint32(unix.Gettid())|FUTEX_WAITERS; got != want {
		t.Errorf("the word of the lock is %#x; want the owner and waiters, %#x", got, want)
	}
	expect(t, FutexUnlockPI(lock, FUTEX_PRIVATE_FLAG), nil)
	for _, w := range waiters {
		w.woken(t, nil)
	}
	if got := atomic.LoadUint32(lock); got != 0 {
		t.Errorf("the word of a free lock is %#x", got)
	}
}

// Where the lock is free, who waits gets it at once.
func TestFreeLockIsGivenToWhoWaits(t *testing.T) {
	words := new([2]uint32)
	cond, lock := &words[0], &words[1]
	w := startSleeper(t, func() error {
		if err := FutexWaitRequeuePI(cond, 0, lock, FUTEX_PRIVATE_FLAG, nil); err != nil {
			return err
		}
		return FutexUnlockPI(lock, FUTEX_PRIVATE_FLAG)
	})
	w.asleep(t, address(cond))
	if n, err := FutexCmpRequeuePI(cond, 0, FutexAll, lock, FUTEX_PRIVATE_FLAG); n != 1 || err != nil {
		t.Fatalf("gave the lock to %d, %v", n, err)
	}
	w.woken(t, nil)
	if got := atomic.LoadUint32(lock); got != 0 {
		t.Errorf("the word of a free lock is %#x", got)
	}
}

func TestRequeueToALockRefuses(t *testing.T) {
	words := new([2]uint32)
	cond, lock := &words[0], &words[1]
	for _, clock := range []struct {
		id    int32
		flags FutexFlags
	}{{unix.CLOCK_MONOTONIC, FUTEX_PRIVATE_FLAG}, {unix.CLOCK_REALTIME, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME}} {
		var ts unix.Timespec
		if err := unix.ClockGettime(clock.id, &ts); err != nil {
			t.Fatal(err)
		}
		end := ts.Nano() + int64(time.Millisecond)
		deadline := unix.NsecToTimespec(end)
		expect(t, FutexWaitRequeuePI(cond, 0, lock, clock.flags, &deadline), unix.ETIMEDOUT)
		if err := unix.ClockGettime(clock.id, &ts); err != nil || ts.Nano() < end {
			t.Errorf("it returned at %d, before %d, %v", ts.Nano(), end, err)
		}
	}
	expect(t, FutexWaitRequeuePI(cond, 7, lock, FUTEX_PRIVATE_FLAG, nil), unix.EAGAIN)
	expect(t, FutexWaitRequeuePI(cond, 0, cond, FUTEX_PRIVATE_FLAG, nil), unix.EINVAL)
	expect(t, FutexWaitRequeuePI(nil, 0, lock, FUTEX_PRIVATE_FLAG, nil), unix.EFAULT)
	for _, requeue := range []int{-1, FutexAll + 1} {
		_, err := FutexCmpRequeuePI(cond, 0, requeue, lock, FUTEX_PRIVATE_FLAG)
		expect(t, err, unix.EINVAL)
	}
	_, err := FutexCmpRequeuePI(cond, 0, 1, cond, FUTEX_PRIVATE_FLAG)
	expect(t, err, unix.EINVAL)
	if n, err := FutexCmpRequeuePI(cond, 0, FutexAll, lock, FUTEX_PRIVATE_FLAG); n != 0 || err != nil {
		t.Errorf("of nobody %d were moved, %v", n, err)
	}
}
