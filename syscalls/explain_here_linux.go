package syscalls

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// here is what surrounds the calling thread.
type here struct{}

// A threadStatus is what /proc says of a thread.
type threadStatus struct {
	seccomp   int    // mode: 0 for no filter
	effective uint64 // capability n is bit n
	innerUser bool   // in a user namespace other than the first one
}

// has returns the name of the first of these capabilities that is effective, or nothing.
func (s threadStatus) has(capabilities []int) string {
	for _, c := range capabilities {
		if s.effective&(1<<c) != 0 {
			return capabilityNames[c]
		}
	}
	return ""
}

func (here) status() (threadStatus, error) {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return threadStatus{}, err
	}
	s, err := parseStatus(string(text))
	var st unix.Stat_t
	const initialUser = 0xEFFFFFFD // PROC_USER_INIT_INO of include/linux/proc_ns.h
	s.innerUser = unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != initialUser
	return s, err
}

// parseStatus reads the text of /proc/PID/status. A kernel without seccomp has no line for it.
func parseStatus(text string) (s threadStatus, err error) {
	found := false
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Seccomp":
			_, err = fmt.Sscanf(value, "%d", &s.seccomp)
		case "CapEff":
			_, err = fmt.Sscanf(value, "%x", &s.effective)
			found = true
		}
		if err != nil {
			return s, fmt.Errorf("parse status line %q: %w", line, err)
		}
	}
	if !found {
		return s, fmt.Errorf("parse status: no CapEff")
	}
	return s, nil
}

func (here) setting(name string) (string, bool) {
	if name == "" {
		return "", false
	}
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	return strings.TrimSpace(string(b)), err == nil
}

func (here) ask(number uintptr, args [5]uintptr) (answer, error) { return ask(number, args) }

// modules are the security modules in force, or nothing where the kernel has or shows none.
func (here) modules() string {
	b, err := os.ReadFile("/sys/kernel/security/lsm")
	if list := strings.TrimSpace(string(b)); err == nil && list != "capability" { // which is no module of its own
		return list
	}
	return ""
}

// A symbolKind is what the kernel's symbols say of a system call.
type symbolKind uint8

const (
	symbolUnknown symbolKind = iota
	symbolAbsent
	symbolDefined
)

func (here) symbol(call string) symbolKind {
	b, err := os.ReadFile("/proc/kallsyms")
	if err != nil || call == "" {
		return symbolUnknown
	}
	return symbolIn(string(b), call)
}

// symbolIn looks for a call's function in the text of /proc/kallsyms. A call that the kernel was built without
// has a weak symbol, which stands for all that are not there.
func symbolIn(kallsyms, call string) symbolKind {
	const one = "sys_getppid\n" // that every kernel has
	if !strings.Contains(kallsyms, one) {
		return symbolUnknown // empty: the process may not read it
	}
	for _, prefix := range []string{"__x64_sys_", "__arm64_sys_"} {
		if strings.Contains(kallsyms, " T "+prefix+call+"\n") || strings.Contains(kallsyms, " t "+prefix+call+"\n") {
			return symbolDefined
		}
	}
	return symbolAbsent
}
