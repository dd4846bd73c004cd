//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const echoSize = 128

// A yardstick is how a server's speed is told. Requests go from one processor to the other, and each of the two spends
// about as much of its time in TCP: where the server is the faster one, it waits for the load, and the clock tells of
// the load. What a server has had of its processor tells of nothing else, and shows also what no client would notice.
type yardstick struct{ suffix, text string }

var (
	byClock         = yardstick{"", "by the clock"}
	byProcessorTime = yardstick{"-cpu", "server's CPU"}
)

// echoTCP compares echo servers on one processor, under a load from another.
func echoTCP(connections, requests int, by yardstick) Benchmark {
	const tenth = 1 / 1.1 // of the time is 1.1 times the requests
	serve := echoSubjects(connections, requests, by)
	return Benchmark{
		Group: "echo", Name: "echo-epoll-" + strconv.Itoa(connections) + by.suffix, Unit: Nanoseconds, Per: "request",
		What: fmt.Sprintf("TCP echo, %d B, %d connections, %s", echoSize, connections, by.text),
		Ours: serve("reactor, epoll", "ring3"),
		References: []Reference{
			{serve("netpoll", "netpoll"), tenth},
			{serve("std net", "net"), tenth},
			{serve("gnet", "gnet"), 0},
		},
	}
}

// echoUring compares the reactor on io_uring with the same in C, and with what goes through epoll.
func echoUring(connections, requests int, by yardstick) Benchmark {
	const most = 1 / 1.9 // of the time is 1.9 times the requests
	serve := echoSubjects(connections, requests, by)
	return Benchmark{
		Group: "echo", Name: "echo-uring-" + strconv.Itoa(connections) + by.suffix, Unit: Nanoseconds, Per: "request",
		What: fmt.Sprintf("TCP echo, %d B, %d connections, %s", echoSize, connections, by.text),
		Ours: serve("reactor, io_uring", "iouring"),
		References: []Reference{
			{serve("C liburing", plainC), 1},
			{serve("C, direct descriptors", directC), 0},
			{serve("netpoll", "netpoll"), most},
			{serve("std net", "net"), most},
			{serve("gnet", "gnet"), 0},
			{serve("reactor, epoll", "ring3"), 0},
		},
	}
}

// echoSubjects returns what makes the subject of a library.
func echoSubjects(connections, requests int, by yardstick) func(label, library string) Subject {
	return func(label, library string) Subject {
		return Subject{Label: label, Needs: "gcc", Library: "liburing.so", Measure: func(e *Env) (Sample, error) {
			return measureEcho(e, library, connections, requests, by)
		}}
	}
}

// In the place of a library for the server of reference/echo_uring.c: what the target is about, with accepts and receives
// that go on and buffers from a ring, and the same with all else that makes it faster.
const (
	plainC  = "plain"
	directC = "direct"
)

// measureEcho runs a server on a processor that the load is not on, and the load against it.
func measureEcho(e *Env, library string, connections, requests int, by yardstick) (s Sample, err error) {
	err = withEchoServer(e, library, func(pid int, port string) error {
		var at []time.Duration
		clock, err := e.echoLoad(port, connections, requests, func() error {
			used, err := processTime(pid)
			at = append(at, used)
			return err
		})
		if err != nil {
			return err
		}
		s.Value = clock
		if by == byProcessorTime {
			s.Value = float64(at[1]-at[0]) / float64(requests)
		}
		return nil
	})
	return s, err
}

// processTime is what a process has had of processors.
func processTime(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED; include/linux/posix-timers_types.h has the rest
	var t unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|sched), &t)
	return time.Duration(t.Nano()), os.NewSyscallError("clock_gettime", err)
}

// echoLoad returns ns a request. It calls look when the connections are warm and when the requests are done.
func (e *Env) echoLoad(port string, connections, requests int, look func() error) (ns float64, err error) {
	load, err := e.CProgram("echo_load")
	if err != nil {
		return 0, err
	}
	cmd := e.command(load, port, strconv.Itoa(connections), strconv.Itoa(echoSize), strconv.Itoa(requests), strconv.Itoa(e.cpu))
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, lines := "", bufio.NewReader(stdout)
	var lookErr error
	for range 2 {
		if line, err = lines.ReadString('\n'); err != nil {
			break // it has ended, and says why below
		}
		if lookErr = look(); lookErr != nil {
			break
		}
		io.WriteString(stdin, "\n")
	}
	stdin.Close() // it ends with that
	err = cmd.Wait()
	if lookErr != nil {
		return 0, lookErr
	}
	if err := ended(err, complaint.String()); err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(line), 64)
}

// withEchoServer calls do while the server of a library listens.
func withEchoServer(e *Env, library string, do func(pid int, port string) error) (err error) {
	cmd, err := e.echoServer(library)
	if err != nil {
		return err
	}
	cpu, err := e.otherCPU()
	if err != nil {
		return err
	}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := startOn(cpu, cmd); err != nil {
		return err
	}
	defer func() {
		stdin.Close() // it ends with that
		waitErr := ended(cmd.Wait(), complaint.String())
		if missing := missingError(""); err == nil || errors.As(waitErr, &missing) {
			err = waitErr
		} else {
			err = errors.Join(err, waitErr)
		}
	}()
	lines := bufio.NewReader(stdout)
	for { // gnet logs on the same stream
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("server of %s: %w", library, err)
		}
		if at, err := netip.ParseAddrPort(strings.TrimSpace(line)); err == nil {
			go io.Copy(io.Discard, lines)
			return do(cmd.Process.Pid, strconv.Itoa(int(at.Port())))
		}
	}
}

func (e *Env) echoServer(library string) (*exec.Cmd, error) {
	if library == plainC || library == directC {
		path, err := e.CProgram("echo_uring")
		return e.command(path, library), err
	}
	path, err := e.Command("echoserver")
	return e.command(path, library), err
}

// otherCPU is one that is not for loads.
func (e *Env) otherCPU() (int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, os.NewSyscallError("sched_getaffinity", err)
	}
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) && cpu != e.cpu {
			return cpu, nil
		}
	}
	return 0, missingError("it takes two processors")
}

// startOn starts a command on one processor, so that the runtime of Go gives it one thread at a time.
func startOn(cpu int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	return errors.Join(cmd.Start(), os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &old)))
}
