package syscalls

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestGetcpuIsWhereTheThreadIsBound(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	onThread(func() { // the affinity dies with it
		for cpu := range 1024 {
			if !allowed.IsSet(cpu) {
				continue
			}
			var one unix.CPUSet
			one.Set(cpu)
			if err := unix.SchedSetaffinity(0, &one); err != nil {
				t.Error(err)
			}
			got, node, err := Getcpu()
			if got != cpu || err != nil {
				t.Errorf("on processor %d it is %d, %v", cpu, got, err)
			}
			path := fmt.Sprintf("/sys/devices/system/cpu/cpu%d/node%d", cpu, node)
			if _, err := os.Stat(path); err != nil && exists("/sys/devices/system/node") {
				t.Errorf("processor %d is not of node %d: %v", cpu, node, err)
			}
		}
	})
	_, _, errno := RawSyscall6(unix.SYS_GETCPU, 1, 0, 0, 0, 0, 0)
	if errno != unix.EFAULT {
		t.Errorf("a bad address is answered with %v", errno)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestPersonalityIsTheThreadsOwn(t *testing.T) {
	before, err := CurrentPersonality()
	if err != nil {
		t.Fatal(err)
	}
	onThread(func() {
		want := before | UNAME26 | STICKY_TIMEOUTS
		old, err := Personality(want)
		if old != before || err != nil {
			t.Errorf("it was %v, %v; want %v", old, err, before)
		}
		file, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/personality", unix.Gettid()))
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := strconv.ParseUint(strings.TrimSpace(string(file)), 16, 32); PersonalityFlags(got) != want || err != nil {
			t.Errorf("the kernel shows %v, %v; want %v", PersonalityFlags(got), err, want)
		}
		var uts unix.Utsname
		if err := unix.Uname(&uts); err != nil {
			t.Error(err)
		}
		if release := unix.ByteSliceToString(uts.Release[:]); !strings.HasPrefix(release, "2.6.") {
			t.Errorf("the release is %s", release)
		}
		if runtime.GOARCH == "arm64" && !exists("/proc/sys/abi/swp") { // no 32-bit mode
			if _, err := Personality(PER_LINUX32); err != nil && !isError(err, unix.EINVAL) {
				t.Error(err)
			}
		}
	})
	if after, err := CurrentPersonality(); after != before || err != nil {
		t.Errorf("other threads have %v, %v; before it was %v", after, err, before)
	}
	if got := (ADDR_NO_RANDOMIZE | PER_LINUX32 | 0x10000).String(); got != "ADDR_NO_RANDOMIZE|PER_LINUX32|0x10000" {
		t.Error(got)
	}
}

// This child has memory, and ends on its first thread, which is the one that is traced.
var bigChild = addChild("big", func() error {
	memory, err := unix.Mmap(-1, 0, bigChildBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	memory[0] = 1
	_, _, errno := RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	return errno
})

const bigChildBytes = 32 << 20

// A tracer holds the child where it has begun to exit and has its memory still.
func TestMreleaseFreesTheMemoryOfTheDying(t *testing.T) {
	expect(t, ProcessMrelease(-1), unix.EBADF)
	living, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(living)
	expect(t, ProcessMrelease(living), unix.EINVAL)

	traced(t, bigChild, unix.PTRACE_O_TRACEEXIT, func(pid int) {
		pidfd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(pidfd)
		for {
			status, err := resume(pid, unix.PTRACE_CONT, 0)
			if err != nil || status.Exited() || status.Signaled() {
				t.Errorf("it ended before it was held: %#x, %v", status, err)
				return
			}
			if status.TrapCause() == unix.PTRACE_EVENT_EXIT {
				break
			}
		}
		before := anonymous(t, pid)
		if before < bigChildBytes {
			t.Errorf("it has %d bytes", before)
		}
		if err := ProcessMrelease(pidfd); err != nil {
			t.Error(err)
		}
		if after := anonymous(t, pid); after > before-bigChildBytes {
			t.Errorf("of %d bytes %d remained", before, after)
		}
	})
}

// anonymous returns how much memory without a file a process has, in bytes.
func anonymous(t *testing.T, pid int) int {
	s := readStatus(t, fmt.Sprintf("/proc/%d/status", pid))
	kib, err := strconv.Atoi(strings.TrimSuffix(s["RssAnon"], " kB"))
	if err != nil {
		t.Error(err)
	}
	return kib << 10
}

// traced runs a child that is stopped after its exec, with options, in a function on the thread that traces it.
// The child is killed at the end.
func traced(t *testing.T, name string, options int, do func(pid int)) {
	t.Helper()
	onThread(func() {
		cmd := child(t, name)
		cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		pid := cmd.Process.Pid
		var status unix.WaitStatus
		if err := waitFor(pid, &status); err != nil || !status.Stopped() {
			t.Errorf("after the exec: %#x, %v", status, err)
		}
		if err := unix.PtraceSetOptions(pid, options|unix.PTRACE_O_EXITKILL); err != nil {
			t.Error(err)
		} else {
			do(pid)
		}
		_ = unix.Kill(pid, unix.SIGKILL)
		for !status.Exited() && !status.Signaled() {
			_ = unix.PtraceCont(pid, 0) // one that is held where it exits takes no notice of the signal
			if err := waitFor(pid, &status); errors.Is(err, unix.ECHILD) {
				break
			}
		}
		_ = cmd.Process.Release()
	})
}

func waitFor(pid int, status *unix.WaitStatus) error {
	for {
		if _, err := unix.Wait4(pid, status, unix.WALL, nil); err != unix.EINTR {
			return err
		}
	}
}

// resume lets a stopped child go on, and waits until it stops again or ends.
func resume(pid, request, signal int) (status unix.WaitStatus, err error) {
	if _, _, errno := RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), 0, uintptr(signal), 0, 0); errno != 0 {
		return 0, os.NewSyscallError("ptrace", errno)
	}
	return status, waitFor(pid, &status)
}
