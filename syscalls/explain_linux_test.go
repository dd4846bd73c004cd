package syscalls

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/seccomp"
)

// explainsInChild reports whether this process is the child of the test, which is to do the test's work there.
// In the parent it starts that child, and fails the test where the child does.
func explainsInChild(t *testing.T) bool {
	t.Helper()
	const name = "RING3_EXPLAIN_CHILD"
	if os.Getenv(name) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), name+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	if text := string(out); strings.Contains(text, "--- SKIP") {
		t.Skipf("in the child:\n%s", text)
	}
	return false
}

func wantCause(t *testing.T, err error, want Cause) {
	t.Helper()
	e := Explain(fmt.Errorf("do a thing: %w", err))
	if e.Cause != want || !strings.Contains(e.String(), want.String()) || !errors.Is(err, e.Errno) {
		t.Errorf("%v; want %q", e, want)
	}
	t.Log(e)
}

// What the rules say that the kernel answers to nonsense, it does answer, with privilege or without.
func TestKernelAnswersNonsenseAsTheRulesSay(t *testing.T) {
	if s, err := (here{}).status(); err != nil || s.seccomp != 0 {
		t.Skipf("a filter may answer here: %+v, %v", s, err)
	}
	for call, r := range rules {
		if !r.telling(here{}) {
			continue
		}
		got, err := ask(r.number, r.args)
		if err != nil {
			t.Fatal(err)
		}
		if got.errno == unix.ENOSYS && (here{}).symbol(call) != symbolDefined {
			t.Logf("%s: this kernel was built without it", call)
			continue
		}
		if got != (answer{errno: r.want}) {
			t.Errorf("%s: %v; the rule says %v", call, got, r.want)
		}
	}
}

func TestPlainKernelIsToldFromFilters(t *testing.T) {
	_, _, errno := RawSyscall(beyond, 0, 0, 0)
	if s, err := (here{}).status(); err != nil || s.seccomp != 0 {
		t.Skipf("a filter may answer here: %+v, %v", s, err)
	}
	wantCause(t, os.NewSyscallError("no_such_call", errno), CauseKernel)
	_, _, errno = RawSyscall(unix.SYS_PIDFD_OPEN, nonsense, 0, 0)
	wantCause(t, os.NewSyscallError("pidfd_open", errno), CauseArgument)
}

func TestFilterIsToldFromTheKernel(t *testing.T) {
	if !explainsInChild(t) {
		return
	}
	refuse := unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	if err := seccomp.Install(
		seccomp.Refuse(unix.SYS_PIDFD_OPEN, unix.EPERM),
		seccomp.Refuse(unix.SYS_MEMBARRIER, unix.ENOSYS),
		seccomp.Rule{From: unix.SYS_KCMP, To: unix.SYS_KCMP, Action: unix.SECCOMP_RET_KILL_PROCESS},
		seccomp.Rule{From: beyond - 1, To: beyond + 1, Action: refuse},
	); err != nil {
		t.Fatal(err)
	}
	call := func(number uintptr) unix.Errno {
		_, _, errno := RawSyscall6(number, 0, 0, 0, 0, 0, 0)
		return errno
	}
	wantCause(t, os.NewSyscallError("pidfd_open", call(unix.SYS_PIDFD_OPEN)), CauseSeccomp)
	wantCause(t, os.NewSyscallError("membarrier", call(unix.SYS_MEMBARRIER)), CauseSeccomp)
	wantCause(t, os.NewSyscallError("unheard_of", call(beyond-1)), CauseSeccomp)
	wantCause(t, os.NewSyscallError("kcmp", unix.EPERM), CauseSeccomp) // and this process lives
	wantCause(t, os.NewSyscallError("no_such_call", call(beyond+2)), CauseKernel)
}

func TestMissingCapabilityIsNamed(t *testing.T) {
	if !explainsInChild(t) {
		return
	}
	runtime.LockOSThread() // whose capabilities these are
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for name, call := range map[string]func() unix.Errno{
		"perf_event_open": func() unix.Errno {
			attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Size: unix.PERF_ATTR_SIZE_VER5}
			_, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
			errno, _ := err.(unix.Errno)
			return errno
		},
		"userfaultfd": func() unix.Errno {
			_, _, errno := RawSyscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
			return errno
		},
	} {
		switch errno := call(); errno {
		case unix.EPERM, unix.EACCES:
			refused++
			wantCause(t, os.NewSyscallError(name, errno), CauseCapability)
		default:
			t.Logf("%s: %v", name, errno) // a setting gives it to everybody, or the kernel has it not
		}
	}
	if refused == 0 {
		t.Skip("tried perf_event_open and userfaultfd: nothing is refused to a process without capabilities")
	}
}

// world is made-up surroundings.
type world struct {
	threadStatus
	settings map[string]string
	symbols  map[string]symbolKind
	answers  map[uintptr]answer
	lsm      string
}

func (w world) status() (threadStatus, error)                { return w.threadStatus, nil }
func (w world) setting(name string) (string, bool)           { v, ok := w.settings[name]; return v, ok }
func (w world) symbol(call string) symbolKind                { return w.symbols[call] }
func (w world) ask(nr uintptr, _ [5]uintptr) (answer, error) { return w.answers[nr], nil }
func (w world) modules() string                              { return w.lsm }
func ringWorld(disabled string, mode int, effective uint64) world {
	return world{
		threadStatus: threadStatus{seccomp: mode, effective: effective},
		settings:     map[string]string{"kernel.io_uring_disabled": disabled},
		symbols:      map[string]symbolKind{"io_uring_setup": symbolDefined},
		answers:      map[uintptr]answer{unix.SYS_IO_URING_SETUP: {errno: unix.EPERM}, beyond: {errno: unix.ENOSYS}},
	}
}

func TestCausesAreToldApart(t *testing.T) {
	const all = ^uint64(0)
	const filter = unix.SECCOMP_MODE_FILTER
	inner := world{threadStatus: threadStatus{effective: all, innerUser: true}}
	selinux := ringWorld("0", 0, 0)
	selinux.lsm = "capability,selinux"
	old := world{threadStatus: threadStatus{seccomp: filter}, symbols: map[string]symbolKind{"futex_wait": symbolAbsent}}
	hidden := world{threadStatus: threadStatus{seccomp: filter}, answers: map[uintptr]answer{beyond: {errno: unix.ENOSYS}}}
	for _, tt := range []struct {
		name  string
		call  string
		errno unix.Errno
		at    world
		want  Cause
	}{
		{"ring, for nobody", "io_uring_setup", unix.EPERM, ringWorld("2", 0, all), CauseSysctl},
		{"ring, for nobody, under a filter", "io_uring_setup", unix.EPERM, ringWorld("2", filter, all), CauseSysctl},
		{"ring, for some", "io_uring_setup", unix.EPERM, ringWorld("1", 0, 0), CauseCapability},
		{"ring, for all, but a filter", "io_uring_setup", unix.EPERM, ringWorld("0", filter, 0), CauseSeccomp},
		{"ring, hidden by a filter", "io_uring_setup", unix.ENOSYS, ringWorld("0", filter, 0), CauseSeccomp},
		{"ring, not built", "io_uring_setup", unix.ENOSYS, world{}, CauseKernel},
		{"ring, and a module", "io_uring_setup", unix.EPERM, selinux, CauseSecurityModule},
		{"old kernel under a filter", "futex_wait", unix.ENOSYS, old, CauseKernel},
		{"kernel that tells nothing, under a filter", "futex_wait", unix.ENOSYS, hidden, CauseUnknown},
		{"rootless container", "bpf", unix.EPERM, inner, CauseCapability},
		{"nothing in the way", "bpf", unix.EPERM, world{threadStatus: threadStatus{effective: all}}, CauseUnknown},
		{"a call without a rule", "umount2", unix.EPERM, world{}, CauseUnknown},
		{"an argument", "io_uring_setup", unix.EINVAL, world{}, CauseArgument},
		{"of the object", "read", unix.EBADF, world{}, CauseUnknown},
		{"no error", "", 0, world{}, CauseUnknown},
	} {
		if got, evidence := decide(tt.call, tt.errno, tt.at); got != tt.want {
			t.Errorf("%s: %v (%s); want %v", tt.name, got, evidence, tt.want)
		}
	}
}

func TestExplainTakesWhatIsNoCall(t *testing.T) {
	for _, err := range []error{nil, errors.New("other"), unix.EBADF, os.ErrClosed} {
		if e := Explain(err); e.Cause != CauseUnknown || e.String() == "" {
			t.Errorf("%v: %+v", err, e)
		}
	}
	if s := Cause(200).String(); s != "cause 200" {
		t.Error(s)
	}
}

func TestWeakSymbolsStandForNothing(t *testing.T) {
	const kallsyms = "0000000000000000 T __x64_sys_getppid\n0 W __x64_sys_futex_wait\n0 T __x64_sys_bpf\n0 T __arm64_sys_kcmp\n"
	for call, want := range map[string]symbolKind{"futex_wait": symbolAbsent, "bpf": symbolDefined, "kcmp": symbolDefined, "getppi": symbolAbsent} {
		if got := symbolIn(kallsyms, call); got != want {
			t.Errorf("%s: %v; want %v", call, got, want)
		}
	}
	if got := symbolIn("", "bpf"); got != symbolUnknown {
		t.Errorf("of nothing: %v", got)
	}
}

func FuzzStatus(f *testing.F) {
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		f.Add(string(text))
	}
	f.Add("CapEff:\t00000000a80425fb\nSeccomp:\t2\n")
	f.Add("Seccomp: two\n")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseStatus(text); err == nil && !strings.Contains(text, "CapEff") {
			t.Errorf("%+v from a text without capabilities", s)
		}
	})
}
