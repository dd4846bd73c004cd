package epoll_test

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/epoll"
)

// A pipe and a timer, waited for together.
func Example() {
	p, err := epoll.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	timer, err := epoll.NewTimer(epoll.Monotonic)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer timer.Close()
	tick, err := p.Add(timer.FD(), epoll.In)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := timer.Set(time.Millisecond, 0); err != nil {
		fmt.Println(err)
		return
	}

	events := make([]epoll.Event, 16)
	n, err := p.Wait(events, time.Minute)
	for _, ev := range events[:n] {
		fmt.Println("the timer:", ev.Token() == tick, ev.Events())
	}
	if err != nil {
		fmt.Println(err)
	}
	// Output: the timer: true IN
}

// An event of a registration that was removed never arrives.
func ExamplePoller_Remove() {
	p, err := epoll.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])

	first, _ := p.Add(ends[0], epoll.In)
	unix.Write(ends[1], []byte("x"))
	fmt.Println(p.Remove(first))
	second, _ := p.Add(ends[0], epoll.In)

	events := make([]epoll.Event, 16)
	n, err := p.Wait(events, 0)
	fmt.Println(first, second, n, events[0].String(), err)
	// Output:
	// <nil>
	// 1#1 1#2 1 1#2 IN <nil>
}
