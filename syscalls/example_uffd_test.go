//go:build linux

package syscalls_test

import (
	"bytes"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Pages of a range come from the program instead of the kernel. Here they are there before anybody asks for
// them; a handler would wait in UffdRead for the message of a thread that does.
func ExampleUffdCopy() {
	fd, err := syscalls.Userfaultfd(unix.O_CLOEXEC | unix.O_NONBLOCK | syscalls.UFFD_USER_MODE_ONLY)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(fd)
	if _, _, err := syscalls.UffdAPI(fd, 0); err != nil {
		fmt.Println(err)
		return
	}
	size := os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(memory)
	addr := uintptr(unsafe.Pointer(&memory[0]))
	ioctls, err := syscalls.UffdRegister(fd, addr, uintptr(size), syscalls.UFFDIO_REGISTER_MODE_MISSING)
	fmt.Println(ioctls&(syscalls.UFFD_IOCTL_COPY|syscalls.UFFD_IOCTL_WAKE), err)

	copied, err := syscalls.UffdCopy(fd, addr, bytes.Repeat([]byte("page"), size/4), 0)
	fmt.Println(copied == size, err)
	fmt.Printf("%s\n", memory[:8])

	_, err = syscalls.UffdCopy(fd, addr, make([]byte, size), 0)
	fmt.Println(err)
	// Output:
	// UFFDIO_WAKE|UFFDIO_COPY <nil>
	// true <nil>
	// pagepage
	// ioctl UFFDIO_COPY: file exists
}
