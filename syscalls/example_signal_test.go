//go:build linux

package syscalls_test

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Go has a handler for SIGSEGV, on the signal stack.
func ExampleGetSigaction() {
	a, err := syscalls.GetSigaction(unix.SIGSEGV)
	fmt.Println(a.Handler > syscalls.SIG_IGN, a.Flags&(syscalls.SA_SIGINFO|syscalls.SA_ONSTACK), err)
	// Output: true SA_SIGINFO|SA_ONSTACK <nil>
}

func ExampleSetSigaction() {
	_, err := syscalls.SetSigaction(unix.SIGKILL, syscalls.Sigaction{Handler: syscalls.SIG_IGN})
	fmt.Println(err)
	// Output: rt_sigaction: invalid argument
}

func ExampleRtSigprocmask() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	block := syscalls.SigsetOf(unix.SIGUSR1, unix.SIGUSR2)
	old, err := syscalls.RtSigprocmask(unix.SIG_BLOCK, &block)
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := syscalls.RtSigprocmask(unix.SIG_SETMASK, &old)
	fmt.Println(now&block, err)
	// Output: SIGUSR1|SIGUSR2 <nil>
}

func ExampleSigaltstack() {
	s, err := syscalls.Sigaltstack()
	fmt.Println(s.Size >= 2048, s.Flags, err)
	// Output: true 0 <nil>
}

// Only a tracer is told.
func ExamplePtraceGetSyscallInfo() {
	_, err := syscalls.PtraceGetSyscallInfo(os.Getpid())
	fmt.Println(syscalls.SyscallStop(unix.PTRACE_SYSCALL_INFO_EXIT), err)
	// Output: PTRACE_SYSCALL_INFO_EXIT ptrace: no such process
}
