//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// echoIdle compares what a connection that does nothing takes of a server's memory.
func echoIdle() Benchmark {
	const connections = 9_000
	idle := func(label, library string) Subject {
		return Subject{Label: label, Measure: func(e *Env) (s Sample, err error) {
			err = withEchoServer(e, library, func(pid int, port string) error {
				from, err := residentNow(pid)
				if err != nil {
					return err
				}
				number, err := strconv.Atoi(port)
				if err != nil {
					return err
				}
				fds, err := connectAll(number, connections)
				defer closeAll(fds)
				if err != nil {
					return err
				}
				to, err := residentNow(pid)
				s.Value = float64(to-from) / connections
				return err
			})
			return s, err
		}}
	}
	return Benchmark{
		Group: "echo", Name: "echo-idle", Unit: Bytes, Per: "conn",
		What:       fmt.Sprintf("echo server, resident memory, %d idle ones", connections),
		Ours:       idle("reactor, epoll", "ring3"),
		References: []Reference{{idle("netpoll", "netpoll"), 0}, {idle("std net", "net"), 0}, {idle("gnet", "gnet"), 0}},
	}
}

// residentNow is what a process has resident, in bytes.
func residentNow(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0, fmt.Errorf("statm of process %d: %q", pid, text)
	}
	pages, err := strconv.Atoi(f[1])
	return pages * os.Getpagesize(), err
}

// connectAll makes connections that have sent a byte and got it back.
func connectAll(port, n int) (fds []int, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, os.NewSyscallError("getrlimit", err)
	}
	if limit.Cur < uint64(n)+100 {
		return nil, missingError(fmt.Sprintf("%d descriptors are allowed, for %d connections", limit.Cur, n))
	}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fds, os.NewSyscallError("socket", err)
		}
		fds = append(fds, fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return fds, os.NewSyscallError("connect", err)
		}
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
			return fds, os.NewSyscallError("setsockopt", err)
		}
		b := []byte{'x'}
		if _, err := unix.Write(fd, b); err != nil {
			return fds, os.NewSyscallError("write", err)
		}
		if n, err := unix.Read(fd, b); n != 1 {
			return fds, errors.Join(errors.New("a connection got no answer"), err)
		}
	}
	time.Sleep(100 * time.Millisecond) // what the server does after it has answered
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
