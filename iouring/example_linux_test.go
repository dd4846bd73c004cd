package iouring_test

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
	"github.com/ring3-go/ring3/syscalls"
)

// A message is sent and received in a chain, and the sender closed: of that only a failure would be reported.
func Example() {
	r, err := iouring.New(iouring.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close() // cancels and awaits whatever is in flight
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(pair[1])

	buffer := make([]byte, 32)
	send, _ := r.Get()
	send.Send(pair[0], []byte("hello"), 0)
	send.SetFlags(syscalls.IOSQE_IO_LINK) // the next begins when this one is complete
	recv, _ := r.Get()
	recv.Recv(pair[1], buffer, 0)
	recv.SetFlags(syscalls.IOSQE_IO_HARDLINK) // the next begins then too, whatever becomes of this one
	closing, _ := r.Get()
	closing.Close(pair[0])
	closing.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS)

	if _, err := r.SubmitAndWait(2, time.Minute); err != nil {
		fmt.Println(err)
		return
	}
	for c := range r.Completions() {
		switch c.Token {
		case send.Token():
			fmt.Println("sent", c.Res)
		case recv.Token():
			fmt.Printf("received %q, %v\n", buffer[:c.Res], c.Err())
		}
	}
	// Output:
	// sent 5
	// received "hello", <nil>
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
