package syscalls

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

func needKcmp(t *testing.T) {
	t.Helper()
	if _, err := KcmpFiles(os.Getpid(), 0, os.Getpid(), 0); err != nil && !isError(err, unix.EBADF) {
		featuretest.Skip(t, features.Kcmp, err)
	}
}

func TestKcmpKnowsOneFileFromAnother(t *testing.T) {
	needKcmp(t)
	me := os.Getpid()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	same, err := unix.FcntlInt(uintptr(pipe[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	if got, err := KcmpFiles(me, pipe[0], me, same); got != KcmpEqual || err != nil {
		t.Errorf("a descriptor and its duplicate are %v, %v", got, err)
	}
	forth, err := KcmpFiles(me, pipe[0], me, pipe[1])
	if err != nil {
		t.Fatal(err)
	}
	back, err := KcmpFiles(me, pipe[1], me, pipe[0])
	if err != nil {
		t.Fatal(err)
	}
	if !(forth == KcmpLess && back == KcmpGreater) && !(forth == KcmpGreater && back == KcmpLess) {
		t.Errorf("two files are %v one way and %v the other", forth, back)
	}
	if err := unix.Close(same); err != nil {
		t.Fatal(err)
	}
	_, err = KcmpFiles(me, pipe[0], me, same)
	expect(t, err, unix.EBADF)
	_, err = KcmpFiles(me, pipe[0], 1<<30, pipe[0])
	expect(t, err, unix.ESRCH)
	_, err = Kcmp(me, me, 100, 0, 0)
	expect(t, err, unix.EINVAL)
}

// Threads share all of it; a child has its own of each.
func TestKcmpTellsThreadsFromProcesses(t *testing.T) {
	needKcmp(t)
	s := startSleeper(t, func() error { return FutexWait(&kcmpWord, 0, FUTEX_PRIVATE_FLAG, -1) })
	s.asleep(t, address(&kcmpWord))
	defer func() {
		if n, err := FutexWake(&kcmpWord, 1, FUTEX_PRIVATE_FLAG); n != 1 || err != nil {
			t.Errorf("woke %d, %v", n, err)
		}
		s.woken(t, nil)
	}()
	cmd := child(t, sleepChild)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	me := os.Getpid()
	for _, r := range []KcmpResource{KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND} {
		if got, err := Kcmp(me, s.tid, r, 0, 0); got != KcmpEqual || err != nil {
			t.Errorf("%v of two threads: %v, %v", r, got, err)
		}
		got, err := Kcmp(me, cmd.Process.Pid, r, 0, 0)
		for deadline := time.Now().Add(10 * time.Second); got == KcmpEqual && err == nil && time.Now().Before(deadline); {
			got, err = Kcmp(me, cmd.Process.Pid, r, 0, 0) // until it has executed its program, a child shares memory
		}
		if got == KcmpEqual || err != nil {
			t.Errorf("%v of two processes: %v, %v", r, got, err)
		}
	}
}

var kcmpWord uint32

// This child sleeps until its standard input ends.
var sleepChild = addChild("sleep", func() error {
	_, err := os.Stdin.Read(make([]byte, 1))
	if err != nil && err.Error() == "EOF" {
		return nil
	}
	return err
})

func TestKcmpFindsTheFileBehindAnEpollSlot(t *testing.T) {
	needKcmp(t)
	me := os.Getpid()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ep)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, pipe[0], &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		t.Fatal(err)
	}
	slot := KcmpEpollSlot{Epoll: uint32(ep), Target: uint32(pipe[0])}
	if got, err := KcmpEpoll(me, pipe[0], me, slot); got != KcmpEqual || err != nil {
		t.Errorf("the file that was added: %v, %v", got, err)
	}
	if got, err := KcmpEpoll(me, pipe[1], me, slot); got == KcmpEqual || err != nil {
		t.Errorf("another: %v, %v", got, err)
	}
	slot.Offset = 1
	_, err = KcmpEpoll(me, pipe[0], me, slot)
	expect(t, err, unix.ENOENT)
	slot.Epoll = uint32(pipe[0])
	_, err = KcmpEpoll(me, pipe[0], me, slot)
	expect(t, err, unix.EINVAL)
}

func TestKcmpMirror(t *testing.T) {
	checkOffsets(t, KcmpEpollSlot{}, 12, map[string]uintptr{"Epoll": 0, "Target": 4, "Offset": 8}) // <linux/kcmp.h>
	checkLayout(t, KcmpEpollSlot{}, "kcmp_epoll_slot?", map[string]string{"Epoll": "efd", "Target": "tfd", "Offset": "toff"})
}
