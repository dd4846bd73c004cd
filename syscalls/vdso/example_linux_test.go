package vdso_test

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls/vdso"
)

func ExampleClockGettime() {
	var before, after unix.Timespec
	if err := vdso.ClockGettime(unix.CLOCK_BOOTTIME, &before); err != nil {
		fmt.Println(err)
		return
	}
	vdso.ClockGettime(unix.CLOCK_BOOTTIME, &after)
	fmt.Println(after.Nano() >= before.Nano())
	// Output: true
}

func ExampleLookup() {
	_, err := vdso.Lookup("__vdso_fork")
	fmt.Println(err, errors.Is(err, vdso.ErrNotFound))
	// Output: vdso: no such function: __vdso_fork true
}

// Without a state, as on kernels whose vDSO has no getrandom, the bytes come from the kernel.
func ExampleGetrandom() {
	state, err := vdso.NewState()
	if err == nil {
		defer state.Close()
	}
	var p [16]byte
	n, err := vdso.Getrandom(p[:], 0, state)
	fmt.Println(n, err)
	// Output: 16 <nil>
}
