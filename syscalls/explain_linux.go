package syscalls

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Explain finds out why a system call was refused. It takes the error of a function of this package, or any that
// wraps an *os.SyscallError, and decodes ENOSYS, EPERM, EACCES and EINVAL. Others are CauseUnknown: they tell
// of the object and not of the call.
//
// No version decides. It looks at what applies to the calling thread at this moment: /proc/self/status for
// filter and capabilities, the settings that concern the call, the kernel's symbols (ENOSYS under a filter), and
// how the kernel answers when it is asked for the same call with arguments that nobody could be allowed. That
// last question is put in a forked child, because a filter may kill for it. Where causes come together, the one
// that is met first is named: the filter, then the capability or setting, then the security module.
//
// It takes about a millisecond, ten where it has to read the symbols, and needs no privilege. Safe for
// concurrent use.
func Explain(err error) Explanation {
	var e Explanation
	errors.As(err, &e.Errno)
	var failed *os.SyscallError
	if errors.As(err, &failed) {
		e.Call, _, _ = strings.Cut(failed.Syscall, " ") // "ioctl UFFDIO_API"
	}
	e.Cause, e.Evidence = decide(e.Call, e.Errno, here{})
	return e
}

// surroundings is what a decision is made from; here has those of the calling thread, tests have others.
type surroundings interface {
	status() (threadStatus, error)
	setting(name string) (value string, ok bool)
	symbol(call string) symbolKind
	ask(number uintptr, args [5]uintptr) (answer, error)
	modules() string
}

// decide names the cause of an error.
func decide(call string, errno unix.Errno, at surroundings) (Cause, string) {
	switch errno {
	case unix.ENOSYS, unix.EPERM, unix.EACCES:
	case unix.EINVAL:
		return CauseArgument, "the call itself is there"
	default:
		return CauseUnknown, ""
	}
	status, err := at.status()
	if err != nil {
		return CauseUnknown, err.Error()
	}
	if status.seccomp != unix.SECCOMP_MODE_DISABLED {
		if cause, evidence := byFilter(call, errno, at); cause != CauseUnknown {
			return cause, evidence
		}
	}
	if errno == unix.ENOSYS {
		if status.seccomp == unix.SECCOMP_MODE_DISABLED {
			return CauseKernel, "no filter is between"
		}
		return CauseUnknown, "a filter is between, and the kernel does not show whether it has the call"
	}
	return byPrivilege(call, status, at)
}

// byFilter finds whether the filter that is there gave the answer.
func byFilter(call string, errno unix.Errno, at surroundings) (Cause, string) {
	r := rules[call]
	if r.telling(at) {
		switch a, err := at.ask(r.number, r.args); {
		case err != nil: // nor could this be found out
		case a.killed:
			return CauseSeccomp, "it kills for the call"
		case a.errno != r.want && a.errno != unix.ENOSYS:
			return CauseSeccomp, fmt.Sprintf("asked for nonsense, the kernel would say %q, but the answer is %q", r.want.Error(), a)
		case a.errno == r.want && errno == unix.ENOSYS:
			return CauseSeccomp, "asked for nonsense, the kernel answers: it has the call"
		}
	}
	if errno == unix.ENOSYS {
		switch at.symbol(call) {
		case symbolDefined:
			return CauseSeccomp, "the kernel has the call, by /proc/kallsyms"
		case symbolAbsent:
			return CauseKernel, "it is not in /proc/kallsyms"
		}
		if _, ok := at.setting(r.setting); ok {
			return CauseSeccomp, "the kernel has the call: there is " + r.setting
		}
		return CauseUnknown, ""
	}
	if r.telling(at) {
		return CauseUnknown, "" // the filter lets the call itself by
	}
	if a, err := at.ask(beyond, [5]uintptr{}); err == nil && a.errno == errno {
		return CauseSeccomp, fmt.Sprintf("call number %d, which no kernel has, gets %q too", uint(beyond), a)
	}
	return CauseUnknown, ""
}

// beyond is a call number that no kernel has. Without a filter the answer is ENOSYS.
const beyond = 100_000

// telling reports whether a filter can be told from the kernel by the rule's question.
func (r rule) telling(at surroundings) bool {
	if r.number == 0 || !r.settingFirst {
		return r.number != 0
	}
	value, ok := at.setting(r.setting)
	return !ok || !r.asks(value) && !r.forbids(value)
}

// byPrivilege finds what of capabilities, settings and modules is in the way of a call that the kernel has.
func byPrivilege(call string, status threadStatus, at surroundings) (Cause, string) {
	r, known := rules[call]
	if !known {
		return CauseUnknown, ""
	}
	value, set := at.setting(r.setting)
	setting := ""
	if set {
		setting = r.setting + " = " + value
	}
	if set && r.forbids != nil && r.forbids(value) {
		return CauseSysctl, setting
	}
	held := status.has(r.capabilities)
	if len(r.capabilities) > 0 && (r.asks == nil || set && r.asks(value)) {
		switch {
		case held == "":
			return CauseCapability, clauses(namesOf(r.capabilities)+" not effective", setting)
		case status.innerUser:
			return CauseCapability, clauses(held+" effective, but in an inner user namespace alone", setting)
		}
		held += " effective"
	}
	if modules := at.modules(); modules != "" {
		return CauseSecurityModule, clauses(held, setting, "modules: "+modules)
	}
	return CauseUnknown, clauses(held, setting)
}

// clauses joins what is not empty.
func clauses(list ...string) string {
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	return strings.Join(list, "; ")
}
