package iouring_test

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
	"github.com/ring3-go/ring3/syscalls"
)

// A file is opened, and then read and closed in a chain, of which only what matters is reported.
func Example() {
	r, err := iouring.New(iouring.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	one := func(fill func(iouring.Entry) error) int {
		e, err := r.Get()
		if err == nil {
			err = fill(e)
		}
		if err == nil {
			_, err = r.SubmitAndWait(1, -1)
		}
		for c := range r.Completions() {
			return int(c.Res)
		}
		fmt.Println(err)
		return -1
	}
	fd := one(func(e iouring.Entry) error {
		return e.Openat(unix.AT_FDCWD, "/proc/self/comm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	})
	name := make([]byte, 32)
	read, _ := r.Get()
	read.Read(fd, name, 0)
	read.SetFlags(syscalls.IOSQE_IO_HARDLINK) // the next runs after it, whatever becomes of it
	n := one(func(e iouring.Entry) error {
		e.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS)
		return e.Close(fd)
	})
	text, _ := os.ReadFile("/proc/self/comm")
	fmt.Println(strings.TrimSpace(string(name[:n])) == strings.TrimSpace(string(text)))
	// Output: true
}

// Connections are received from without a buffer for each: the kernel takes one of the group when there is data.
func ExampleRing_NewBufRing() {
	r, err := iouring.New(iouring.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	buffers, err := r.NewBufRing(iouring.BufRingOptions{Group: 1, Buffers: 64, Size: 4096})
	if err != nil {
		fmt.Println(err)
		return
	}
	pair, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	defer unix.Close(pair[1])
	e, _ := r.Get()
	e.RecvMultishot(pair[1], 0, 1)
	r.Submit()

	unix.Write(pair[0], []byte("hello"))
	unix.Close(pair[0])
	for more := true; more; {
		r.SubmitAndWait(1, -1)
		for c := range r.Completions() {
			more = c.More()
			if b, err := buffers.Bytes(c); err == nil {
				fmt.Printf("%q\n", b)
				buffers.Release(c)
			}
		}
	}
	// Output: "hello"
}
