//go:build linux

package syscalls_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A word that one thread waits for and another sets. The loop is what every user of a futex needs: the word is
// looked at again after each return.
func ExampleFutexWait() {
	word := new(uint32)
	go func() {
		atomic.StoreUint32(word, 1)
		if _, err := syscalls.FutexWake(word, syscalls.FutexAll, syscalls.FUTEX_PRIVATE_FLAG); err != nil {
			fmt.Println(err)
		}
	}()
	for atomic.LoadUint32(word) == 0 {
		err := syscalls.FutexWait(word, 0, syscalls.FUTEX_PRIVATE_FLAG, -1)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("the word is", atomic.LoadUint32(word))
	// Output: the word is 1
}

func ExampleFutexWait_timeout() {
	word := new(uint32)
	fmt.Println(syscalls.FutexWait(word, 0, syscalls.FUTEX_PRIVATE_FLAG, time.Millisecond))
	fmt.Println(syscalls.FutexWait(word, 1, syscalls.FUTEX_PRIVATE_FLAG, time.Millisecond))
	// Output:
	// futex: connection timed out
	// futex: resource temporarily unavailable
}

// Wait for the first of several words, here with a time that has passed.
func ExampleFutexWaitv() {
	words := new([2]uint32)
	const flags = syscalls.FUTEX2_SIZE_U32 | syscalls.FUTEX2_PRIVATE
	waiters := []syscalls.FutexWaiter{{Addr: &words[0], Flags: flags}, {Addr: &words[1], Flags: flags}}
	_, err := syscalls.FutexWaitv(waiters, &unix.Timespec{Sec: 1}, unix.CLOCK_MONOTONIC)
	fmt.Println(flags, errors.Is(err, unix.ETIMEDOUT))
	// Output: FUTEX2_SIZE_U32|FUTEX2_PRIVATE true
}

// futex_wait of futex2 is younger than most kernels: where it is missing, the old call does.
func ExampleFutex2Wait() {
	word := new(uint32)
	err := syscalls.Futex2Wait(word, 1, syscalls.FUTEX_BITSET_MATCH_ANY, syscalls.FUTEX2_SIZE_U32|syscalls.FUTEX2_PRIVATE, nil, unix.CLOCK_MONOTONIC)
	if errors.Is(err, unix.ENOSYS) {
		err = syscalls.FutexWaitBitset(word, 1, syscalls.FUTEX_BITSET_MATCH_ANY, syscalls.FUTEX_PRIVATE_FLAG, nil)
	}
	fmt.Println(errors.Is(err, unix.EAGAIN))
	// Output: true
}

// A lock that lends the owner its waiters' priority. The kernel is called only where the word is not free.
func ExampleFutexLockPI2() {
	runtime.LockOSThread() // a thread owns the lock
	defer runtime.UnlockOSThread()
	lock, me := new(uint32), uint32(unix.Gettid())
	if !atomic.CompareAndSwapUint32(lock, 0, me) {
		if err := syscalls.FutexLockPI2(lock, syscalls.FUTEX_PRIVATE_FLAG, nil); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("owned:", atomic.LoadUint32(lock)&syscalls.FUTEX_TID_MASK == me)
	if !atomic.CompareAndSwapUint32(lock, me, 0) {
		if err := syscalls.FutexUnlockPI(lock, syscalls.FUTEX_PRIVATE_FLAG); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("free:", atomic.LoadUint32(lock) == 0)
	// Output:
	// owned: true
	// free: true
}

// An addition and its test in one call.
func ExampleFutexWakeOp() {
	words := new([2]uint32)
	op := syscalls.FutexOp{Do: syscalls.FUTEX_OP_ADD, Arg: 5, If: syscalls.FUTEX_OP_CMP_EQ, Than: 0}
	n, err := syscalls.FutexWakeOp(&words[0], 1, &words[1], 1, op, syscalls.FUTEX_PRIVATE_FLAG)
	fmt.Println(op.Do, words[1], "woken:", n, err)
	// Output: FUTEX_OP_ADD 5 woken: 0 <nil>
}

func ExampleRobustList() {
	_, err := syscalls.RobustList(1 << 30)
	fmt.Println(err)
	// Output: get_robust_list: no such process
}
