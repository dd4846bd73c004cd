//go:build linux

package syscalls_test

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A wait of half a millisecond, which epoll_wait(2) cannot express, and one for something that is there.
func ExampleEpollPwait2() {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(epfd)
	counter, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(counter)
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, counter, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		fmt.Println(err)
		return
	}

	wait := func() {
		events := make([]unix.EpollEvent, 8)
		n, err := syscalls.EpollPwait2(epfd, events, &unix.Timespec{Nsec: 500_000}, nil)
		for errors.Is(err, unix.EINTR) {
			n, err = syscalls.EpollPwait2(epfd, events, &unix.Timespec{Nsec: 500_000}, nil)
		}
		fmt.Println(n, err)
	}
	wait()
	unix.Write(counter, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	wait()
	// Output:
	// 0 <nil>
	// 1 <nil>
}
