package syscalls

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// exited waits for a child without reaping it, and returns what the kernel says of its end.
func exited(t *testing.T, pidfd int) (s SignalInfo) {
	t.Helper()
	if err := waitid(pidfd, &s, unix.WEXITED|unix.WNOWAIT|unix.WALL); err != nil {
		t.Fatal(err)
	}
	return s
}

func waitid(pidfd int, s *SignalInfo, options int) error {
	for {
		if err := unix.Waitid(unix.P_PIDFD, pidfd, &s.Siginfo, options, nil); err != unix.EINTR {
			return err
		}
	}
}

// gone reaps a child and gives its descriptor back.
func gone(t *testing.T, pidfd int) {
	t.Helper()
	var s SignalInfo
	if err := waitid(pidfd, &s, unix.WEXITED|unix.WALL); err != nil {
		t.Error(err)
	}
	if err := unix.Close(pidfd); err != nil {
		t.Error(err)
	}
}

func TestChildExitsWithItsCode(t *testing.T) {
	for _, code := range []uint8{0, 1, 77, 255} {
		pid, pidfd, err := Clone3(CloneOptions{ExitCode: code})
		if err != nil {
			t.Fatal(err)
		}
		const exitedCode = 1 // CLD_EXITED
		s := exited(t, pidfd)
		if s.PID() != pid || s.Status() != int(code) || s.Code != exitedCode || s.UID() != os.Getuid() {
			t.Errorf("child %d: the kernel has %d, code %d, status %d; want %d", pid, s.PID(), s.Code, s.Status(), code)
		}
		status := readStatus(t, fmt.Sprintf("/proc/%d/status", pid))
		if !strings.HasPrefix(status["State"], "Z") || status["PPid"] != strconv.Itoa(os.Getpid()) {
			t.Errorf("its state is %s, its parent %s", status["State"], status["PPid"])
		}
		flags, err := unix.FcntlInt(uintptr(pidfd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("the pidfd has flags %#x, %v", flags, err)
		}
		gone(t, pidfd)
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); !errors.Is(err, fs.ErrNotExist) && !strings.Contains(fmt.Sprint(err), "no such process") && err != nil {
			t.Errorf("after it was waited for: %v", err)
		}
	}
}

// This child waits to be killed.
var pausingChild = addChild("pausing", func() error { return unix.Pause() })

func TestChildExecutesAProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"a name", "", "last"}
	env := []string{childVariable + "=" + pausingChild, "EMPTY="}
	onThread(func() {
		blocked := SigsetOf(unix.SIGUSR1, 40) // a mask that is to be inherited
		if _, err := RtSigprocmask(unix.SIG_BLOCK, &blocked); err != nil {
			t.Error(err)
		}
		pid, pidfd, err := Clone3(CloneOptions{Path: self, Args: args, Env: env})
		if err != nil {
			t.Error(err)
			return
		}
		defer gone(t, pidfd)
		defer unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		dir := fmt.Sprintf("/proc/%d/", pid)
		// The call returns when the child can fail no more; that is before the kernel has written down its arguments.
		eventually(t, "the program has arguments", func() bool {
			got, err := os.ReadFile(dir + "environ")
			return err != nil || len(got) > 0
		})
		for name, want := range map[string][]string{"cmdline": args, "environ": env} {
			got, err := os.ReadFile(dir + name)
			if err != nil || string(got) != strings.Join(want, "\x00")+"\x00" {
				t.Errorf("%s is %q, %v; want %q", name, got, err, want)
			}
		}
		if exe, err := os.Readlink(dir + "exe"); exe != self || err != nil {
			t.Errorf("it executes %s, %v", exe, err)
		}
		mine := readStatus(t, fmt.Sprintf("/proc/self/task/%d/status", unix.Gettid()))
		eventually(t, "the program has the mask of its parent", func() bool {
			// A Go runtime blocks all for moments while it starts threads.
			return readStatus(t, dir+"status")["SigBlk"] == mine["SigBlk"]
		})
		if Sigset(mine.hex(t, "SigBlk"))&blocked != blocked {
			t.Errorf("the parent itself has %s blocked", mine["SigBlk"])
		}
	})
}

func TestProgramsFailureIsTheCallers(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "none"): unix.ENOENT,
		dir:                        unix.EACCES,
		plain:                      unix.ENOEXEC,
	} {
		before := descriptors(t)
		_, pidfd, err := Clone3(CloneOptions{Path: path})
		if pidfd != -1 {
			t.Errorf("a descriptor of a child that failed: %d", pidfd)
		}
		expect(t, err, want)
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors, before %d", after, before)
		}
	}
	if zombies := zombies(t); len(zombies) != 0 {
		t.Errorf("children that nobody waited for: %v", zombies)
	}
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// zombies returns the children of this process that wait to be waited for.
func zombies(t *testing.T) (pids []string) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		children, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children") // CONFIG_PROC_CHILDREN
		if err != nil {
			continue
		}
		for _, pid := range strings.Fields(string(children)) {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err == nil && strings.Contains(string(stat), ") Z ") {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func TestWhatGoCannotShareIsRefused(t *testing.T) {
	for name, o := range map[string]CloneOptions{
		"memory":      {Flags: unix.CLONE_VM},
		"vfork":       {Flags: unix.CLONE_VM | unix.CLONE_VFORK},
		"thread":      {Flags: unix.CLONE_VM | unix.CLONE_SIGHAND | unix.CLONE_THREAD},
		"descriptors": {Flags: unix.CLONE_FILES},
		"parent":      {Flags: unix.CLONE_PARENT},
		"tls":         {Flags: unix.CLONE_SETTLS},
		"unknown":     {Flags: 1 << 60},
		"signal":      {ExitSignal: 65},
		"arguments":   {Args: []string{"a"}},
		"path":        {Path: "a\x00b"},
		"argument":    {Path: "a", Args: []string{"\x00"}},
		"environment": {Path: "a", Env: []string{"\x00"}},
	} {
		pid, pidfd, err := Clone3(o)
		if pid != 0 || pidfd != -1 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: child %d, %d, %v", name, pid, pidfd, err)
		}
	}
	// And by the kernel: a new user namespace shares no file system context.
	_, _, err := Clone3(CloneOptions{Flags: unix.CLONE_NEWUSER | unix.CLONE_FS})
	expect(t, err, unix.EINVAL)
}

func TestChildHasTheNumberThatWasAsked(t *testing.T) {
	_, _, err := Clone3(CloneOptions{SetTID: []int32{int32(os.Getpid())}})
	if isError(err, unix.EPERM) {
		featuretest.Skip(t, features.CloneSetTID, err)
	}
	expect(t, err, unix.EEXIST)
	for range 100 { // somebody else may take the number
		free, pidfd, err := Clone3(CloneOptions{})
		if err != nil {
			t.Fatal(err)
		}
		gone(t, pidfd)
		pid, pidfd, err := Clone3(CloneOptions{SetTID: []int32{int32(free)}})
		if isError(err, unix.EEXIST) {
			continue
		}
		if pid != free || err != nil {
			t.Fatalf("it is %d, %v; want %d", pid, err, free)
		}
		if s := exited(t, pidfd); s.PID() != free {
			t.Errorf("the kernel has %d; want %d", s.PID(), free)
		}
		gone(t, pidfd)
		return
	}
	t.Error("of 100 numbers none stayed free")
}

func TestChildIsBornIntoACgroup(t *testing.T) {
	for fd, want := range map[int]error{-1: unix.EBADF, 1 << 20: unix.EBADF} {
		_, _, err := Clone3(CloneOptions{Flags: unix.CLONE_INTO_CGROUP, Cgroup: fd})
		expect(t, err, want)
	}
	root := t.TempDir()
	if err := unix.Mount("none", root, "cgroup2", 0, ""); err != nil {
		featuretest.Skip(t, features.CloneIntoCgroup, os.NewSyscallError("mount", err))
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	group, err := os.MkdirTemp(root, "ring3-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(group)
	fd, err := unix.Open(group, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pid, pidfd, err := Clone3(CloneOptions{
		Flags: unix.CLONE_INTO_CGROUP, Cgroup: fd, Path: self, Env: []string{childVariable + "=" + pausingChild},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer gone(t, pidfd)
	defer unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	procs, err := os.ReadFile(group + "/cgroup.procs")
	if strings.TrimSpace(string(procs)) != strconv.Itoa(pid) || err != nil {
		t.Errorf("the group has %q, %v; want %d", procs, err, pid)
	}
}

func TestChildHasNamespacesOfItsOwn(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pid, pidfd, err := Clone3(CloneOptions{
		Flags: unix.CLONE_NEWUSER | unix.CLONE_NEWUTS | unix.CLONE_NEWPID,
		Path:  self, Env: []string{childVariable + "=" + pausingChild},
	})
	if isError(err, unix.EPERM) || isError(err, unix.ENOSPC) || isError(err, unix.EACCES) {
		featuretest.Skip(t, features.CloneNewUser, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer gone(t, pidfd)
	defer unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	for _, ns := range []string{"user", "uts", "pid", "net"} {
		his, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns))
		if err != nil {
			t.Error(err)
		}
		mine, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			t.Error(err)
		}
		if (his == mine) != (ns == "net") {
			t.Errorf("its namespace %s, this process's %s", his, mine)
		}
	}
	nspid := strings.Fields(readStatus(t, fmt.Sprintf("/proc/%d/status", pid))["NSpid"])
	if !slices.Equal(nspid[len(nspid)-1:], []string{"1"}) {
		t.Errorf("it is %v in its namespaces", nspid)
	}
}

func TestChildEndsWithItsOwnSignal(t *testing.T) {
	_, pidfd, err := Clone3(CloneOptions{ExitSignal: unix.SIGURG}) // which Go's runtime takes for its own and ignores
	if err != nil {
		t.Fatal(err)
	}
	var s SignalInfo
	if err := waitid(pidfd, &s, unix.WEXITED|unix.WNOHANG); err != unix.ECHILD {
		t.Errorf("a wait for children of SIGCHLD: %v", err)
	}
	exited(t, pidfd)
	gone(t, pidfd)
	if got := CloneFlags(unix.CLONE_NEWNS | unix.CLONE_INTO_CGROUP | 1<<60).String(); got != "CLONE_NEWNS|CLONE_INTO_CGROUP|0x1000000000000000" {
		t.Error(got)
	}
}

func TestCloneMirror(t *testing.T) {
	checkLayout(t, cloneArgs{}, "clone_args", map[string]string{
		"PidFD": "pidfd", "ChildTID": "child_tid", "ParentTID": "parent_tid", "SetTID": "set_tid", "SetTIDSize": "set_tid_size",
	})
}
