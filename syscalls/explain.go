package syscalls

import (
	"fmt"
	"syscall"
)

// A Cause is why a system call was refused.
type Cause uint8

// The causes. The zero Cause is no guess.
const (
	// CauseUnknown: nothing that was found out tells.
	CauseUnknown Cause = iota
	// CauseKernel: this kernel does not have the call; it is too old, or was built without it.
	CauseKernel
	// CauseArgument: the kernel has the call, but does not take an argument: it is wrong, or a flag that is
	// newer than this kernel.
	CauseArgument
	// CauseSeccomp: a seccomp filter answered, and not the kernel. Containers have one.
	CauseSeccomp
	// CauseCapability: the process lacks a capability, or has it in an inner user namespace, where it does not
	// count.
	CauseCapability
	// CauseSysctl: a setting forbids it, whatever the capabilities.
	CauseSysctl
	// CauseSecurityModule: none of the above is in the way, so that it is a security module or lockdown.
	CauseSecurityModule
)

var causeTexts = [...]string{
	CauseUnknown:        "for a reason that could not be found",
	CauseKernel:         "this kernel does not have it",
	CauseArgument:       "this kernel does not take an argument",
	CauseSeccomp:        "a seccomp filter refuses it",
	CauseCapability:     "a capability is missing",
	CauseSysctl:         "a setting forbids it",
	CauseSecurityModule: "a security module or lockdown forbids it",
}

// String is a clause in lower case.
func (c Cause) String() string {
	if int(c) < len(causeTexts) {
		return causeTexts[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// An Explanation is what is known of a refused call.
type Explanation struct {
	Call     string        // its name, "io_uring_setup"; empty where the error does not have it
	Errno    syscall.Errno // the answer; 0 where the error has none
	Cause    Cause         // why
	Evidence string        // what was found to say so: settings, capabilities, answers to other calls
}

// String is one line: the call, the answer, the cause, the evidence.
func (e Explanation) String() string {
	call := e.Call
	if call == "" {
		call = "system call"
	}
	s := fmt.Sprintf("%s: %v: %v", call, e.Errno, e.Cause)
	if e.Evidence != "" {
		s += " (" + e.Evidence + ")"
	}
	return s
}
