package syscalls_test

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// The same bytes written in two ways: by the wrapper of x/sys, and by the instruction itself. (The third way,
// libc, is in bench.) A descriptor that there is not gives both the same error.
func ExampleRawSyscall() {
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	defer w.Close()
	text := []byte("hello\n")
	fd := w.Fd()

	unix.Write(int(fd), text)
	syscalls.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)))

	var got [12]byte
	n, _ := r.Read(got[:])
	fmt.Printf("%q\n", got[:n])

	_, err = unix.Write(-1, text)
	_, _, errno := syscalls.RawSyscall(unix.SYS_WRITE, ^uintptr(0), uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)))
	fmt.Println(err, errno == err)
	// Output:
	// "hello\nhello\n"
	// bad file descriptor true
}

// Mmap takes six arguments.
func ExampleRawSyscall6() {
	size := uintptr(os.Getpagesize())
	address, _, errno := syscalls.RawSyscall6(unix.SYS_MMAP, 0, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	if errno != 0 {
		fmt.Println(errno)
		return
	}
	fmt.Println(address%size == 0)
	syscalls.RawSyscall(unix.SYS_MUNMAP, address, size, 0)
	// Output: true
}

// A call that may wait: other goroutines run meanwhile.
func ExampleSyscall6() {
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	go func() {
		w.WriteString("at last")
		w.Close()
	}()
	var b [16]byte
	n, _, errno := syscalls.Syscall6(unix.SYS_READ, r.Fd(), uintptr(unsafe.Pointer(&b)), uintptr(len(b)), 0, 0, 0)
	fmt.Printf("%q %v\n", b[:n], errno == 0)
	// Output: "at last" true
}

func ExampleExplain() {
	const noSuchCall = 100_000
	_, _, errno := syscalls.RawSyscall(noSuchCall, 0, 0, 0)
	e := syscalls.Explain(os.NewSyscallError("no_such_call", errno))
	fmt.Println(e.Call, "-", e.Errno)
	fmt.Println(e.Cause) // with what it was told by in e.Evidence
	// Output:
	// no_such_call - function not implemented
	// this kernel does not have it
}
