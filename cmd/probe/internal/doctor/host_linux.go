package doctor

import (
	"context"
	"fmt"
	"os"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
	"github.com/ring3-go/ring3/syscalls"
)

func hostTrials() []trial {
	return []trial{
		{"io_uring", ring},
		{"cgroup v2", cgroup},
	}
}

// cgroup finds the hierarchy that -c needs, and asks it for this process's own group.
func cgroup(context.Context) Check {
	const means = "-c CGROUP cannot be used"
	mount, err := procfs.CgroupMount()
	if err != nil {
		return refused(err.Error(), means, "sudo mount -t cgroup2 cgroup2 DIRECTORY")
	}
	own, err := procfs.CgroupOf(os.Getpid())
	if err != nil {
		return limited(fmt.Sprintf("%s; %v", mount, err), means, "")
	}
	id, err := procfs.CgroupID(mount + own)
	if err != nil {
		return limited(fmt.Sprintf("%s; this process is in %s; %v", mount, own, err), "this process's own group cannot be named", "")
	}
	return passed("%s; this process is in %s, id %d", mount, own, id)
}

// ringParams mirrors struct io_uring_params, include/uapi/linux/io_uring.h.
type ringParams struct {
	_                           structs.HostLayout
	sqEntries, cqEntries, flags uint32
	sqThreadCPU, sqThreadIdle   uint32
	features                    uint32
	wqFd                        uint32
	resv                        [3]uint32
	sqOff, cqOff                [10]uint32
}

// ringProbe mirrors struct io_uring_probe with room for every operation code.
type ringProbe struct {
	_             structs.HostLayout
	lastOp, opLen uint8
	resv          [14]byte
	ops           [256]struct {
		op, resv uint8
		flags    uint16
		resv2    uint32
	}
}

// ring sets one up and asks what it can do.
func ring(context.Context) Check {
	const means = "completion I/O is not to be had; epoll serves instead"
	const entries = 8
	var p ringParams
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, entries, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		why, remedy := noRing(errno)
		return refused(fmt.Sprintf("io_uring_setup: %v; %s", errno, why), means, remedy)
	}
	defer unix.Close(int(fd))
	const registerProbe, supported = 8, 1
	var probe ringProbe
	_, _, errno = unix.Syscall6(unix.SYS_IO_URING_REGISTER, fd, registerProbe, uintptr(unsafe.Pointer(&probe)), uintptr(len(probe.ops)), 0, 0)
	if errno != 0 {
		return limited(fmt.Sprintf("set up, features %#x; io_uring_register: %v", p.features, errno), "its operations cannot be listed", "")
	}
	n := 0
	for _, op := range probe.ops[:probe.opLen] {
		if op.flags&supported != 0 {
			n++
		}
	}
	return passed("set up: features %#x, %d operations", p.features, n)
}

// noRing says why a ring was refused, and what helps.
func noRing(errno unix.Errno) (why, remedy string) {
	if errno == unix.ENOMEM {
		return "no memory, or RLIMIT_MEMLOCK before Linux 5.12", "ulimit -l unlimited"
	}
	e := syscalls.Explain(os.NewSyscallError("io_uring_setup", errno))
	switch e.Cause {
	case syscalls.CauseSysctl, syscalls.CauseCapability:
		remedy = "sudo sysctl kernel.io_uring_disabled=0"
	case syscalls.CauseSeccomp:
		return e.Cause.String(), unconfined
	case syscalls.CauseKernel:
		remedy = "a kernel built with CONFIG_IO_URING=y"
	}
	return fmt.Sprintf("%v (%s)", e.Cause, e.Evidence), remedy
}
