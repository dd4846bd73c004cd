//go:build linux

package main

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// The three ways to a system call are one in what they do: the same bytes in a pipe, the same errno.
func TestThreeWaysAgree(t *testing.T) {
	const text = "the same bytes"
	for name, write := range map[string]func(fd int, b []byte) (int, error){
		"x/sys wrapper": unix.Write,
		"raw instruction": func(fd int, b []byte) (int, error) {
			n, _, errno := syscalls.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
			if errno != 0 {
				return -1, errno
			}
			return int(n), nil
		},
	} {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 2*len(text))
		if n, err := write(fds[1], []byte(text)); n != len(text) || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		} else if n, err := unix.Read(fds[0], got); string(got[:n]) != text || err != nil {
			t.Errorf("%s: %q, %v", name, got[:n], err)
		}
		unix.Close(fds[0])
		unix.Close(fds[1])
		if n, err := write(-1, []byte(text)); n != -1 || err != unix.EBADF {
			t.Errorf("%s to no descriptor: %d, %v", name, n, err)
		}
	}

	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip(err)
	}
	env, err := newEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	program, err := env.CProgram("calls")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "write", text)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr // pipes
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	errno, err := strconv.Atoi(strings.TrimSpace(stderr.String()))
	if stdout.String() != text || unix.Errno(errno) != unix.EBADF || err != nil {
		t.Errorf("libc: %q, errno %d, %v", stdout.String(), errno, err)
	}
}
