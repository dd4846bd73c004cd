package syscalls

import (
	"strings"

	"golang.org/x/sys/unix"
)

// A rule is what has to do with one system call.
type rule struct {
	// capabilities of which one is enough, for what an ordinary process may not do with the call.
	capabilities []int
	// setting has a say: whether a capability is asked for at all (nil: always), and whether it is forbidden
	// whatever the capabilities (nil: never).
	setting string
	asks    func(value string) bool
	forbids func(value string) bool
	// The call with arguments to which the kernel itself has one answer, whatever the privilege. A number of 0
	// stands for none that is known.
	number uintptr
	args   [5]uintptr
	want   unix.Errno
	// The setting is asked before the arguments are looked at, so that the answer is the one above only where
	// it neither asks for a capability nor forbids.
	settingFirst bool
}

const nonsense = ^uintptr(0) // as flags, command or process number

var rules = map[string]rule{
	"bpf": {
		capabilities: []int{unix.CAP_BPF, unix.CAP_SYS_ADMIN}, setting: "kernel.unprivileged_bpf_disabled",
		number: unix.SYS_BPF, args: [5]uintptr{nonsense, 0, 0}, want: unix.EINVAL,
	},
	"clone3": {
		capabilities: []int{unix.CAP_SYS_ADMIN},
		number:       unix.SYS_CLONE3, want: unix.EINVAL, // a struct of 0 bytes
	},
	"io_uring_setup": {
		capabilities: []int{unix.CAP_SYS_ADMIN}, setting: "kernel.io_uring_disabled",
		asks:    func(value string) bool { return value == "1" },
		forbids: func(value string) bool { return value == "2" },
		number:  unix.SYS_IO_URING_SETUP, want: unix.EFAULT, settingFirst: true, // parameters at address 0
	},
	"io_uring_enter": {
		number: unix.SYS_IO_URING_ENTER, args: [5]uintptr{nonsense, 0, 0, nonsense}, want: unix.EINVAL,
	},
	"io_uring_register": {
		number: unix.SYS_IO_URING_REGISTER, args: [5]uintptr{0, nonsense >> 33}, want: unix.EINVAL,
	},
	"kcmp": {
		capabilities: []int{unix.CAP_SYS_PTRACE}, setting: "kernel.yama.ptrace_scope", forbids: noTracing,
		number: unix.SYS_KCMP, args: [5]uintptr{nonsense, nonsense}, want: unix.ESRCH,
	},
	"membarrier": {
		number: unix.SYS_MEMBARRIER, args: [5]uintptr{nonsense}, want: unix.EINVAL,
	},
	"move_pages": {
		capabilities: []int{unix.CAP_SYS_NICE, unix.CAP_SYS_PTRACE},
		number:       unix.SYS_MOVE_PAGES, args: [5]uintptr{nonsense}, want: unix.ESRCH,
	},
	"perf_event_open": {
		capabilities: []int{unix.CAP_PERFMON, unix.CAP_SYS_ADMIN}, setting: "kernel.perf_event_paranoid",
		number: unix.SYS_PERF_EVENT_OPEN, args: [5]uintptr{4: nonsense}, want: unix.EINVAL,
	},
	"pidfd_open": {
		number: unix.SYS_PIDFD_OPEN, args: [5]uintptr{nonsense}, want: unix.EINVAL,
	},
	"process_madvise": {
		capabilities: []int{unix.CAP_SYS_NICE, unix.CAP_SYS_PTRACE},
		number:       unix.SYS_PROCESS_MADVISE, args: [5]uintptr{nonsense, 0, 0, 0}, want: unix.EBADF,
	},
	"process_vm_readv": {
		capabilities: []int{unix.CAP_SYS_PTRACE}, setting: "kernel.yama.ptrace_scope", forbids: noTracing,
		number: unix.SYS_PROCESS_VM_READV, want: 0, // nothing to read
	},
	"ptrace": {
		capabilities: []int{unix.CAP_SYS_PTRACE}, setting: "kernel.yama.ptrace_scope", forbids: noTracing,
		number: unix.SYS_PTRACE, args: [5]uintptr{unix.PTRACE_PEEKDATA, nonsense}, want: unix.ESRCH,
	},
	"userfaultfd": {
		capabilities: []int{unix.CAP_SYS_PTRACE}, setting: "vm.unprivileged_userfaultfd",
		asks:   func(value string) bool { return value == "0" },
		number: unix.SYS_USERFAULTFD, args: [5]uintptr{nonsense}, want: unix.EINVAL,
	},
}

// noTracing is the level of Yama at which nobody may trace.
func noTracing(value string) bool { return value == "3" }

// capabilityNames are those that the rules name.
var capabilityNames = map[int]string{
	unix.CAP_BPF: "CAP_BPF", unix.CAP_PERFMON: "CAP_PERFMON", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
	unix.CAP_SYS_NICE: "CAP_SYS_NICE", unix.CAP_SYS_PTRACE: "CAP_SYS_PTRACE",
}

func namesOf(capabilities []int) string {
	var names []string
	for _, c := range capabilities {
		names = append(names, capabilityNames[c])
	}
	return strings.Join(names, ", ")
}
