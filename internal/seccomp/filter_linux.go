package seccomp

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Rule gives the answer to a range of system calls.
type Rule struct {
	From, To uint32  // the numbers, both included
	First    *uint32 // if not nil, only calls with this first argument; its lower half, that is
	Action   uint32  // unix.SECCOMP_RET_*
}

// Refuse is the rule by which the filter answers one call with an error.
func Refuse(number int, errno unix.Errno) Rule {
	return Rule{From: uint32(number), To: uint32(number), Action: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

// Install puts every thread of this process under a filter: the first rule that fits a call holds, and calls
// without one are let by. It sets no_new_privs, so no privilege is needed.
func Install(rules ...Rule) error { return install(unix.SECCOMP_FILTER_FLAG_TSYNC, rules) }

// InstallThread is Install for the calling thread alone, to which the goroutine must be locked, and which should end
// with it.
func InstallThread(rules ...Rule) error { return install(0, rules) }

func install(flags uintptr, rules []Rule) error {
	// struct seccomp_data of include/uapi/linux/seccomp.h: the number, and the lower half of the first argument.
	const offsetNumber, offsetFirst = 0, 16
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(how uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, Jt: yes, Jf: no, K: k}
	}
	answer := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	var filter []unix.SockFilter
	for _, r := range rules {
		// What does not fit jumps over the rest of the rule.
		if r.First == nil {
			filter = append(filter, load(offsetNumber), jump(unix.BPF_JGE, r.From, 0, 2), jump(unix.BPF_JGT, r.To, 1, 0))
		} else {
			filter = append(filter, load(offsetNumber), jump(unix.BPF_JGE, r.From, 0, 4), jump(unix.BPF_JGT, r.To, 3, 0),
				load(offsetFirst), jump(unix.BPF_JEQ, *r.First, 0, 1))
		}
		filter = append(filter, answer(r.Action))
	}
	filter = append(filter, answer(unix.SECCOMP_RET_ALLOW))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", os.NewSyscallError("prctl", err))
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("install a filter: %w", os.NewSyscallError("seccomp", errno))
	}
	return nil
}
