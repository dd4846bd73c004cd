package procfs

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParsePidStatus(t *testing.T) {
	for file, want := range map[string]PidStatusInfo{
		"pid_status_comm": {
			Tgid: 3558, NSpid: []int{3558},
			CapPrm: 0x1fffeffffff, CapEff: 0x1fffeffffff, CapBnd: 0x1fffeffffff,
			VoluntaryCtxtSwitches: 1, NonvoluntaryCtxtSwitches: 257,
		},
		"pid_status_container": {
			Tgid: 3600, Uid: [4]uint32{1000, 1001, 1001, 1001}, NSpid: []int{3600, 2},
			CapBnd: 0x420, NoNewPrivs: true,
			VoluntaryCtxtSwitches: 11, NonvoluntaryCtxtSwitches: 3,
		},
		"pid_status_zombie": { // has no memory, and so fewer lines
			Tgid: 3595, NSpid: []int{3595},
			CapPrm: 0x1fffeffffff, CapEff: 0x1fffeffffff, CapBnd: 0x1fffeffffff,
			VoluntaryCtxtSwitches: 1, NonvoluntaryCtxtSwitches: 6,
		},
	} {
		got, err := parsePidStatus(fixture(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestParsePidStatusNeedsWhatEveryKernelPrints(t *testing.T) {
	whole := string(fixture(t, "pid_status_container"))
	without := func(key string) (rest string) {
		for line := range strings.Lines(whole) {
			if !strings.HasPrefix(line, key+":") {
				rest += line
			}
		}
		return rest
	}
	for _, key := range required {
		if got, err := parsePidStatus([]byte(without(key))); err == nil {
			t.Errorf("without %s: parsed as %+v", key, got)
		}
	}
	for _, key := range []string{"NSpid", "Seccomp"} { // built without
		if _, err := parsePidStatus([]byte(without(key))); err != nil {
			t.Errorf("without %s: %v", key, err)
		}
	}
}

func TestParsePidStatusRefusesBadValues(t *testing.T) {
	whole := string(fixture(t, "pid_status_container"))
	for _, line := range []string{
		"Tgid:\tx", "Uid:\t1\t2\t3", "Uid:\t1\t2\t3\t-4", "NSpid:\t1 x", "CapPrm:\t", "CapEff:\tg",
		"CapBnd:\t10000000000000000", "NoNewPrivs:\tyes", "Seccomp:\t", "voluntary_ctxt_switches:\t-1",
		"nonvoluntary_ctxt_switches:\t1 kB",
	} {
		if got, err := parsePidStatus([]byte(whole + line + "\n")); err == nil {
			t.Errorf("%q: parsed as %+v", line, got)
		}
	}
}

func TestTaskStatusCountsTheSwitchesThatGetrusageCounts(t *testing.T) {
	onThread(func(tid int) {
		for range 50 {
			unix.Nanosleep(&unix.Timespec{Nsec: 50_000}, nil) // a voluntary switch, mostly
		}
		var before, after unix.Rusage
		rusage(t, unix.RUSAGE_THREAD, &before)
		got, err := TaskStatus(os.Getpid(), tid)
		rusage(t, unix.RUSAGE_THREAD, &after)
		if err != nil {
			t.Error(err)
			return
		}
		if got.VoluntaryCtxtSwitches == 0 {
			t.Error("VoluntaryCtxtSwitches = 0 after 50 sleeps")
		}
		between(t, "VoluntaryCtxtSwitches", uint64(before.Nvcsw), got.VoluntaryCtxtSwitches, uint64(after.Nvcsw))
		between(t, "NonvoluntaryCtxtSwitches", uint64(before.Nivcsw), got.NonvoluntaryCtxtSwitches, uint64(after.Nivcsw))
		if got.Tgid != os.Getpid() {
			t.Errorf("Tgid = %d; getpid says %d", got.Tgid, os.Getpid())
		}
	})
}

// TestPidStatusIsTheMainThreadAlone stops a child, so that its counters stand
// still, and checks who is in them.
func TestPidStatusIsTheMainThreadAlone(t *testing.T) {
	c := mustStartChild(t)
	if err := unix.Kill(c.pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(c.pid, nil, unix.WUNTRACED, nil); err != nil {
		t.Fatal(err)
	}
	var sum, main PidStatusInfo
	eventually(t, "main thread and PidStatus agree", func() bool {
		tids, err := Tasks(c.pid)
		if err != nil {
			t.Fatal(err)
		}
		if len(tids) < 2 {
			t.Fatalf("a Go program has %d threads; want several", len(tids))
		}
		sum = PidStatusInfo{}
		for _, tid := range tids {
			got, err := TaskStatus(c.pid, tid)
			if err != nil {
				t.Fatal(err)
			}
			sum.VoluntaryCtxtSwitches += got.VoluntaryCtxtSwitches
			sum.NonvoluntaryCtxtSwitches += got.NonvoluntaryCtxtSwitches
			if tid == c.pid {
				main = got
			}
		}
		got, err := PidStatus(c.pid)
		if err != nil {
			t.Fatal(err)
		}
		return cmp.Equal(got, main)
	})
	if sum.VoluntaryCtxtSwitches <= main.VoluntaryCtxtSwitches {
		t.Errorf("all threads slept %d times, the main thread %d", sum.VoluntaryCtxtSwitches, main.VoluntaryCtxtSwitches)
	}

	var total unix.Rusage
	if err := unix.Kill(c.pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(c.pid, nil, 0, &total); err != nil {
		t.Fatal(err)
	}
	if uint64(total.Nvcsw) < sum.VoluntaryCtxtSwitches || uint64(total.Nivcsw) < sum.NonvoluntaryCtxtSwitches {
		t.Errorf("sum of the tasks %d, %d; the process's getrusage in the end only %d, %d",
			sum.VoluntaryCtxtSwitches, sum.NonvoluntaryCtxtSwitches, total.Nvcsw, total.Nivcsw)
	}
}

// capabilities asks the kernel for the calling thread's sets by system call.
func capabilities(t *testing.T) (permitted, effective, bounding uint64) {
	t.Helper()
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		t.Error(err)
	}
	for n := range uintptr(64) {
		if in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, n, 0, 0, 0); err == nil {
			bounding |= uint64(in) << n
		}
	}
	return uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted),
		uint64(data[1].Effective)<<32 | uint64(data[0].Effective), bounding
}

func TestTaskStatusShowsTheThreadsOwnCapabilities(t *testing.T) {
	onThread(func(tid int) {
		check := func() {
			permitted, effective, bounding := capabilities(t)
			got, err := TaskStatus(os.Getpid(), tid)
			if err != nil || got.CapPrm != permitted || got.CapEff != effective || got.CapBnd != bounding {
				t.Errorf("CapPrm, CapEff, CapBnd = %#x, %#x, %#x, %v; the system calls say %#x, %#x, %#x",
					got.CapPrm, got.CapEff, got.CapBnd, err, permitted, effective, bounding)
			}
		}
		check()
		// Make the three sets differ, where there is something to give up. A
		// process that has no capability keeps its empty sets.
		unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_BOOT, 0, 0, 0)
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&head, &data[0]); err != nil {
			t.Error(err)
		}
		data[0].Effective &^= 1 << unix.CAP_CHOWN
		if err := unix.Capset(&head, &data[0]); err != nil {
			t.Error(err)
		}
		check()
	})
}

func TestTaskStatusShowsSeccompAndNoNewPrivs(t *testing.T) {
	onThread(func(tid int) {
		check := func() {
			nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
			if err != nil {
				t.Error(err)
			}
			mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
			if err != nil && err != unix.EINVAL { // EINVAL: kernel without seccomp
				t.Error(err)
			}
			got, err := TaskStatus(os.Getpid(), tid)
			if err != nil || got.NoNewPrivs != (nnp != 0) || got.Seccomp != max(mode, 0) {
				t.Errorf("NoNewPrivs, Seccomp = %t, %d, %v; prctl says %d, %d", got.NoNewPrivs, got.Seccomp, err, nnp, mode)
			}
		}
		check()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			t.Error(err)
		}
		check()
		allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
		prog := unix.SockFprog{Len: 1, Filter: &allow}
		err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
		if err != nil && err != unix.EINVAL {
			t.Error(err)
		}
		check()
	})
}

func TestTaskStatusShowsTheThreadsOwnUserIDs(t *testing.T) {
	onThread(func(tid int) {
		// Raw, and so for this thread only; effective stays, or the process
		// would lose its right to look at itself. Without privilege nothing
		// changes.
		syscall.RawSyscall(unix.SYS_SETRESUID, 1, ^uintptr(0), 2)
		real, effective, saved := unix.Getresuid()
		// A failing setfsuid returns the current id.
		fs, _, _ := syscall.RawSyscall(unix.SYS_SETFSUID, ^uintptr(0), 0, 0)
		want := [4]uint32{uint32(real), uint32(effective), uint32(saved), uint32(fs)}
		got, err := TaskStatus(os.Getpid(), tid)
		if err != nil || got.Uid != want {
			t.Errorf("Uid = %v, %v; the system calls say %v", got.Uid, err, want)
		}
	})
}

func TestPidStatusShowsThePidInEachNamespace(t *testing.T) {
	self, err := PidStatus(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if self.NSpid == nil {
		t.Skip("kernel without CONFIG_PID_NS")
	}
	c, err := startChild(t, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID})
	if errors.Is(err, os.ErrPermission) {
		c, err = startChild(t, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWUSER})
	}
	if err != nil {
		t.Skipf("cannot make a pid namespace: %v", err)
	}
	got, err := PidStatus(c.pid)
	if err != nil {
		t.Fatal(err)
	}
	// The first process of a namespace is 1 there.
	if n := len(got.NSpid); n != len(self.NSpid)+1 || got.NSpid[0] != c.pid || got.NSpid[n-1] != 1 {
		t.Errorf("NSpid = %v for process %d, the first of a namespace within %v", got.NSpid, c.pid, self.NSpid)
	}
}

func FuzzParsePidStatus(f *testing.F) {
	for _, file := range []string{"pid_status_comm", "pid_status_container"} {
		f.Add(fixture(f, file))
	}
	f.Add([]byte("Uid:\nNSpid:\t1 2 3\nCapEff:\tffffffffffffffff\n:\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parsePidStatus(b)
		if err != nil && !cmp.Equal(got, PidStatusInfo{}) {
			t.Errorf("with an error: %+v", got)
		}
		if got.Tgid < 0 || got.Seccomp < 0 || slices.ContainsFunc(got.NSpid, func(id int) bool { return id < 0 }) {
			t.Errorf("negative: %+v", got)
		}
	})
}
