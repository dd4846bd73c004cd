//go:build linux

package syscalls_test

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A child that exits at once, waited for by its pidfd.
func ExampleClone3() {
	pid, pidfd, err := syscalls.Clone3(syscalls.CloneOptions{ExitCode: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(pidfd)
	var end syscalls.SignalInfo
	for {
		if err = unix.Waitid(unix.P_PIDFD, pidfd, &end.Siginfo, unix.WEXITED, nil); err != unix.EINTR {
			break
		}
	}
	fmt.Println(end.PID() == pid, end.Status(), err)
	// Output: true 3 <nil>
}

// A program that cannot be executed is an error of the call, and leaves no child.
func ExampleClone3_program() {
	_, _, err := syscalls.Clone3(syscalls.CloneOptions{Path: "/no/such/program"})
	fmt.Println(err)
	_, _, err = syscalls.Clone3(syscalls.CloneOptions{Flags: unix.CLONE_VM})
	fmt.Println(err)
	// Output:
	// execve: no such file or directory
	// a child of Go cannot have CLONE_VM: clone3: invalid argument
}

func ExampleMembarrier() {
	if err := syscalls.Membarrier(syscalls.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); err != nil {
		fmt.Println(err)
	}
	fmt.Println(syscalls.MEMBARRIER_CMD_PRIVATE_EXPEDITED, syscalls.Membarrier(syscalls.MEMBARRIER_CMD_PRIVATE_EXPEDITED))
	// Output: MEMBARRIER_CMD_PRIVATE_EXPEDITED <nil>
}

// Where the thread runs, by a load and without a call. Programs with cgo find glibc registered.
func ExampleRegisterRseq() {
	r, err := syscalls.RegisterRseq(0x53053053)
	if errors.Is(err, unix.EINVAL) {
		fmt.Println("a processor: true")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("a processor:", r.Load().CPUID < syscalls.RSEQ_CPU_ID_REGISTRATION_FAILED)
	if err := r.Close(); err != nil {
		fmt.Println(err)
	}
	// Output: a processor: true
}

// A descriptor and its duplicate are one open file.
func ExampleKcmpFiles() {
	stdout := int(os.Stdout.Fd())
	duplicate, err := unix.FcntlInt(uintptr(stdout), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(duplicate)
	me := os.Getpid()
	fmt.Println(syscalls.KcmpFiles(me, stdout, me, duplicate))
	// Output: equal <nil>
}

func ExampleCurrentPersonality() {
	p, err := syscalls.CurrentPersonality()
	fmt.Println(p&syscalls.READ_IMPLIES_EXEC, err)
	// Output: 0 <nil>
}

func ExampleGetcpu() {
	cpu, node, err := syscalls.Getcpu()
	fmt.Println(cpu >= 0, node >= 0, err)
	// Output: true true <nil>
}

func ExampleProcessMrelease() {
	fmt.Println(syscalls.ProcessMrelease(-1))
	// Output: process_mrelease: bad file descriptor
}

func ExampleFSBase() {
	base, err := syscalls.FSBase()
	fmt.Println(base != 0 || errors.Is(err, errors.ErrUnsupported))
	// Output: true
}

// A descriptor as the processor reads it: base 0x12345678, one page, data.
func ExampleSegmentDescriptor() {
	d := syscalls.SegmentDescriptor(0x12c0f33456780000)
	fmt.Printf("%#x %#x %d %v %v\n", d.Base(), d.Limit(), d.DPL(), d.Present(), d.Flags())
	// Output: 0x12345678 0x0 3 true seg_32bit|limit_in_pages
}
