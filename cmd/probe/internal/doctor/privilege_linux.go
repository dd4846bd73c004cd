package doctor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
	"github.com/ring3-go/ring3/syscalls"
)

// Inodes of the initial namespaces, include/linux/proc_ns.h.
const (
	initialPidNamespace  = 0xEFFFFFFC
	initialUserNamespace = 0xEFFFFFFD
)

// A capability is one that some part of probe uses.
type capability struct {
	bit   int
	name  string // without CAP_
	means string // what works less without it
}

var (
	capBPF      = capability{unix.CAP_BPF, "BPF", "no eBPF: observers know only what /proc counts"}
	capPerfmon  = capability{unix.CAP_PERFMON, "PERFMON", "no tracing by eBPF, no perf events of other tasks"}
	capAdmin    = capability{unix.CAP_SYS_ADMIN, "SYS_ADMIN", "no program statistics; page frame numbers are hidden"}
	capPtrace   = capability{unix.CAP_SYS_PTRACE, "SYS_PTRACE", "other users' address spaces cannot be read"}
	forTracing  = []capability{capBPF, capPerfmon}
	interesting = []capability{capBPF, capPerfmon, capAdmin, capPtrace}
)

func privilegeTrials() []trial {
	var trials []trial
	for _, c := range interesting {
		trials = append(trials, trial{"CAP_" + c.name, func(context.Context) Check { return c.check() }})
	}
	return append(trials,
		trial{"user namespace", userNamespace},
		trial{"pid namespace", pidNamespace},
		trial{"seccomp filter", seccompFilter},
		trial{"unprivileged eBPF", unprivilegedBPF},
		trial{"program statistics", programStatistics},
	)
}

func (c capability) check() Check {
	set, err := effective()
	if err != nil {
		return limited(fmt.Sprintf("capget: %v", err), "not known", "")
	}
	admin := set&(1<<unix.CAP_SYS_ADMIN) != 0
	switch {
	case set&(1<<c.bit) != 0 && !initialNamespace("user", initialUserNamespace):
		return limited("effective, but in an inner user namespace alone", c.means, grant(c))
	case set&(1<<c.bit) != 0:
		return passed("effective")
	case admin && slices.Contains(forTracing, c):
		return passed("not effective, but CAP_SYS_ADMIN is and includes it")
	}
	return refused("not effective", c.means, grant(c))
}

// effective is the calling thread's effective capability set: capability n is bit n.
func effective() (uint64, error) {
	_, data, err := capget()
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective), err
}

// mayTrace reports whether this thread has what loading the observers' programs asks for, where it counts.
func mayTrace() bool {
	const both, admin = 1<<unix.CAP_BPF | 1<<unix.CAP_PERFMON, 1 << unix.CAP_SYS_ADMIN
	set, err := effective()
	return err == nil && (set&both == both || set&admin != 0) && initialNamespace("user", initialUserNamespace)
}

func capget() (unix.CapUserHeader, [2]unix.CapUserData, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3} // pid 0: this thread
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return header, data, err
}

// withoutCapabilities runs f while the calling thread has no effective capability, as a process without
// privilege would. The thread must be locked.
func withoutCapabilities(f func() error) (err error) {
	header, data, err := capget()
	if err != nil {
		return os.NewSyscallError("capget", err)
	}
	none := data
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&header, &none[0]); err != nil {
		return os.NewSyscallError("capset", err)
	}
	defer func() {
		// The permitted set still has them all, so this cannot be refused.
		if restore := unix.Capset(&header, &data[0]); restore != nil && err == nil {
			err = os.NewSyscallError("capset", restore)
		}
	}()
	return f()
}

// grant is the remedy for want of capabilities, as far as this process's circumstances leave one.
func grant(caps ...capability) string {
	var names, flags []string
	tracing := true
	for _, c := range caps {
		names = append(names, "CAP_"+c.name)
		tracing = tracing && slices.Contains(forTracing, c)
		if bounded, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c.bit), 0, 0, 0); err == nil && bounded == 0 {
			flags = append(flags, "--cap-add="+c.name)
		}
	}
	noNewPrivs, _ := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	switch {
	case !initialNamespace("user", initialUserNamespace):
		return "run probe on the host, outside this user namespace"
	case flags != nil:
		return "start the container with " + strings.Join(flags, " ")
	case noNewPrivs == 1:
		return "start it without no_new_privs, with " + strings.Join(names, " and ")
	case tracing:
		return `sudo setcap cap_bpf,cap_perfmon+ep "$(command -v probe)"`
	}
	return "run probe with sudo"
}

// initialNamespace reports whether this process is in the host's namespace of that kind. Where /proc does
// not tell, it is taken to be.
func initialNamespace(kind string, inode uint64) bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/"+kind, &st) != nil || st.Ino == inode
}

func pidNamespace(context.Context) Check {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return limited(fmt.Sprintf("stat /proc/self/ns/pid: %v", err), "nothing about processes can be read",
			"sudo mount -t proc proc /proc")
	}
	if st.Ino == initialPidNamespace {
		return passed("the host's")
	}
	if shown, err := os.Readlink("/proc/self"); err == nil && shown != strconv.Itoa(os.Getpid()) {
		return limited(fmt.Sprintf("an inner one, but /proc is that of another, where this process is %s and not %d", shown, os.Getpid()),
			"/proc tells of other processes than are meant", "in the namespace: mount -t proc proc /proc")
	}
	evidence := "an inner one: a container"
	if status, err := procfs.PidStatus(os.Getpid()); err == nil && len(status.NSpid) > 0 {
		evidence += fmt.Sprintf("; this process is %d there", status.NSpid[len(status.NSpid)-1])
	}
	return limited(evidence, "no thread can be a target (-p takes processes); pids shown are the host's",
		"run probe on the host, or start the container with --pid=host")
}

func userNamespace(context.Context) Check {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &st); err != nil {
		return limited(fmt.Sprintf("stat /proc/self/ns/user: %v", err), "whether capabilities count is not known", "")
	}
	if st.Ino == initialUserNamespace {
		return passed("the host's")
	}
	return limited("an inner one: a rootless container or sandbox", "capabilities held here do not count for eBPF and perf events",
		"run probe on the host, outside this user namespace")
}

// filtered are system calls that probe needs, each with arguments to which the kernel itself has one answer,
// whatever the privilege. Another answer is a filter's, or that of a kernel without the call.
var filtered = []struct {
	name string
	nr   uintptr
	args [5]uintptr
	want unix.Errno
}{
	{"bpf", unix.SYS_BPF, [5]uintptr{^uintptr(0)}, unix.EINVAL},                            // no such command
	{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [5]uintptr{4: ^uintptr(0)}, unix.EINVAL}, // no such flags
	{"io_uring_setup", unix.SYS_IO_URING_SETUP, [5]uintptr{}, unix.EFAULT},                 // parameters at address 0
	{"userfaultfd", unix.SYS_USERFAULTFD, [5]uintptr{^uintptr(0)}, unix.EINVAL},            // no such flags
	{"pidfd_open", unix.SYS_PIDFD_OPEN, [5]uintptr{^uintptr(0)}, unix.EINVAL},              // no such number
	{"ptrace", unix.SYS_PTRACE, [5]uintptr{unix.PTRACE_PEEKDATA, ^uintptr(0)}, unix.ESRCH}, // no such process
	{"process_vm_readv", unix.SYS_PROCESS_VM_READV, [5]uintptr{}, 0},                       // nothing to read
}

// seccompFilter cannot read the filter, so it asks each call for an answer that only the kernel would give.
func seccompFilter(context.Context) Check {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	switch {
	case err == unix.EINVAL:
		return passed("none: kernel without CONFIG_SECCOMP")
	case err != nil:
		mode = unix.SECCOMP_MODE_FILTER // nothing else refuses the question
	case mode == unix.SECCOMP_MODE_DISABLED:
		return passed("none")
	}
	var stopped []string
	for _, c := range filtered {
		_, _, errno := unix.RawSyscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], 0)
		if errno == c.want {
			continue
		}
		switch syscalls.Explain(os.NewSyscallError(c.name, errno)).Cause {
		case syscalls.CauseKernel, syscalls.CauseSysctl, syscalls.CauseCapability: // and no filter (kernel.io_uring_disabled)
		default:
			stopped = append(stopped, fmt.Sprintf("%s (%v)", c.name, errno))
		}
	}
	if stopped == nil {
		return passed("mode %d, and it lets by what probe needs", mode)
	}
	return limited(fmt.Sprintf("mode %d, stops %s", mode, strings.Join(stopped, ", ")), "what needs these calls fails, whatever the privilege",
		unconfined)
}
