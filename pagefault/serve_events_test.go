//go:build linux && (amd64 || arm64)

package pagefault

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/syscalls"
)

func TestEventsOfMemoryAreTold(t *testing.T) {
	events := make(chan MemoryEvent, 16)
	r := region(t, ServeOptions{Size: int64(8 * pageBytes), Workers: 2, Handler: number, Events: func(e MemoryEvent) { events <- e }}, features.PopulateRead)
	for page := range 8 {
		if _, err := readNumber(r, page); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Drop(int64(2*pageBytes), int64(3*pageBytes)); err != nil {
		t.Fatal(err)
	}
	want := MemoryEvent{Kind: MemoryRemove, Start: int64(2 * pageBytes), End: int64(5 * pageBytes)}
	if e := <-events; e != want {
		t.Errorf("%+v; want %+v", e, want)
	}
	// The last page moves to where another mapping was; faults there are served as those of its old place.
	elsewhere, err := mapRegion(-1, int64(pageBytes), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	last := addressOf(r.memory) + uintptr(7*pageBytes)
	_, _, errno := unix.Syscall6(unix.SYS_MREMAP, last, uintptr(pageBytes), uintptr(pageBytes), unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, addressOf(elsewhere), 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	if e := <-events; e.Kind != MemoryRemap || e.Start != int64(7*pageBytes) || e.End != int64(8*pageBytes) || e.To != int64(addressOf(elsewhere)-addressOf(r.memory)) {
		t.Errorf("%+v; want a move of the last page", e)
	}
	if e := <-events; e.Kind != MemoryUnmap || e.Start != int64(7*pageBytes) {
		t.Errorf("%+v; want an unmap of its old place", e)
	}
	if err := unix.Madvise(elsewhere, unix.MADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Kind != MemoryRemove || e.Start != int64(7*pageBytes) {
		t.Errorf("%+v; want a remove of the moved page", e)
	}
	if err := populate(elsewhere, unix.MADV_POPULATE_READ); err != nil || binary.NativeEndian.Uint64(elsewhere) != 8 {
		t.Errorf("moved page is %d, %v; want 8", elsewhere[0], err)
	}
	if err := unmapRegion(elsewhere); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Kind != MemoryUnmap || e.Start != int64(7*pageBytes) {
		t.Errorf("%+v; want an unmap", e)
	}
}

// TestMemoryOfAForkedChildIsServed forks, and serves a page of the child's through the descriptor that the event brings.
// Another the child has inherited.
func TestMemoryOfAForkedChildIsServed(t *testing.T) {
	events := make(chan MemoryEvent, 1)
	r := region(t, ServeOptions{Size: int64(4 * pageBytes), Workers: 1, Handler: number, Events: func(e MemoryEvent) { events <- e }}, features.PopulateRead)
	if r.Features()&syscalls.UFFD_FEATURE_EVENT_FORK == 0 {
		if os.Geteuid() == 0 {
			t.Error("no events of forks, as root")
		}
		t.Skip("tried: events of forks are told to who has CAP_SYS_PTRACE")
	}
	if _, err := readNumber(r, 0); err != nil {
		t.Fatal(err)
	}
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	// fork(2) returns when its event has been read. It is a raw call, so nothing may stop the world meanwhile, also no
	// collection that has begun, and whoever reads needs a P of his own.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC()
	pid, err := forkWriter(to.Fd(), addressOf(r.memory), uintptr(pageBytes))
	to.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		unix.Kill(pid, unix.SIGKILL)
		if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
			t.Error(err)
		}
	}()
	e := <-events
	if e.Kind != MemoryFork || e.Child == nil {
		t.Fatalf("%+v; want a fork", e)
	}
	defer e.Child.Close()

	// The child writes the beginnings of two pages to the pipe. Its fault on the second one comes inside write(2), which has
	// the pipe's lock: a read of the first before that is served would wait for ever.
	var m [1]syscalls.UffdMsg
	if n, err := syscalls.UffdRead(int(e.Child.Fd()), m[:]); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, addr, _ := m[0].Pagefault(); m[0].Event != syscalls.UFFD_EVENT_PAGEFAULT || addr&^uintptr(pageBytes-1) != addressOf(r.memory)+uintptr(pageBytes) {
		t.Fatalf("message %v at %#x; want a fault on page 1 of %#x", m[0].Event, addr, addressOf(r.memory))
	}
	page := make([]byte, pageBytes)
	copy(page, "the kid")
	if _, err := syscalls.UffdCopy(int(e.Child.Fd()), addressOf(r.memory)+uintptr(pageBytes), page, 0); err != nil {
		t.Fatal(err)
	}
	numbers := make([]byte, 16)
	if _, err := io.ReadFull(from, numbers); err != nil || string(numbers[8:]) != "the kid\x00" {
		t.Errorf("page 1 in the child: %q, %v", numbers, err)
	}
	if got := binary.NativeEndian.Uint64(numbers); got != 1 {
		t.Errorf("page 0 in the child: %d", got)
	}
	if got, err := readNumber(r, 1); got != 2 || err != nil {
		t.Errorf("page 1 here: %d, %v", got, err)
	}
}

// forkWriter makes a copy of this process that writes 8 bytes each from two addresses, and exits: see forkIdle.
func forkWriter(out, addr, stride uintptr) (pid int, err error) {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, err
	}
	r, errno := forkWriterRaw(out, addr, stride)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return int(r), err
	}
	if errno != 0 {
		return 0, os.NewSyscallError("clone", errno)
	}
	return int(r), nil
}

//go:norace
//go:nocheckptr
//go:nosplit
func forkWriterRaw(out, addr, stride uintptr) (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	unix.RawSyscall6(unix.SYS_WRITE, out, addr, 8, 0, 0, 0)
	unix.RawSyscall6(unix.SYS_WRITE, out, addr+stride, 8, 0, 0, 0)
	for {
		unix.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	}
}

// TestEveryDoorIsTried takes the privileges of a thread away, one after the other, and looks which door is left.
func TestEveryDoorIsTried(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("tried: only root has privileges to give away")
	}
	if text, err := os.ReadFile("/proc/sys/vm/unprivileged_userfaultfd"); err != nil || string(text) != "0\n" {
		t.Skipf("tried: everybody may serve all faults: vm.unprivileged_userfaultfd is %q, %v", text, err)
	}
	fd, _, err := openUffd(unix.O_CLOEXEC, false)
	if errors.Is(err, errors.ErrUnsupported) {
		featuretest.Skip(t, features.Userfault, err)
	} else if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		door := func(userMode bool) (userOnly bool, err error) {
			fd, userOnly, err := openUffd(unix.O_CLOEXEC, userMode)
			if err == nil {
				unix.Close(fd)
			}
			return userOnly, err
		}
		if userOnly, err := door(false); userOnly || err != nil {
			t.Errorf("with all privileges: user mode only %v, %v", userOnly, err)
		}
		if err := dropCapability(unix.CAP_SYS_PTRACE); err != nil {
			t.Error(err)
			return
		}
		userOnly, err := door(false)
		if _, statErr := os.Stat(uffdDevice); statErr == nil {
			if userOnly || err != nil {
				t.Errorf("through the device: user mode only %v, %v", userOnly, err)
			}
		} else if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("without the device: %v", err)
		}
		// Whoever opens files is nobody now.
		const nobody = 65534
		if _, err := unix.SetfsuidRetUid(nobody); err != nil {
			t.Error(err)
			return
		}
		if _, err := door(false); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("without any privilege, faults of the kernel: %v", err)
		}
		if userOnly, err := door(true); !userOnly || err != nil {
			t.Errorf("without any privilege, faults of user mode: user mode only %v, %v", userOnly, err)
		}
	}()
	<-done
}

// dropCapability takes a capability out of this thread's effective set.
func dropCapability(capability uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	data[capability/32].Effective &^= 1 << (capability % 32)
	header.Pid = 0
	return os.NewSyscallError("capset", unix.Capset(&header, &data[0]))
}
