package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From include/uapi/linux/userfaultfd.h.
const (
	uffdUserModeOnly   = 1
	uffdAPI            = 0xaa
	uffdioAPI          = 0xc018aa3f // _IOWR(0xaa, 0x3f, struct uffdio_api)
	userfaultfdIocNew  = 0xaa00     // _IO(0xaa, 0)
	userfaultfdDevice  = "/dev/userfaultfd"
	userfaultfdSetting = "vm.unprivileged_userfaultfd"
)

// uffdioAPIArg mirrors struct uffdio_api.
type uffdioAPIArg struct {
	_                     structs.HostLayout
	api, features, ioctls uint64
}

// userfault tries the three doors to a userfaultfd: the system call, which asks for a privilege or a
// setting; the device, which asks for a right on the file; and the call for faults of user mode alone.
func userfault(context.Context) Check {
	features, callErr := viaSyscall(0)
	if callErr == nil {
		return passed("userfaultfd: features %#x", features)
	}
	evidence := fmt.Sprintf("userfaultfd: %v; %s", callErr, sysctl(userfaultfdSetting))
	features, err := viaDevice()
	if err == nil {
		return passed("%s: features %#x (%s)", userfaultfdDevice, features, evidence)
	}
	evidence += fmt.Sprintf("; %v", err)
	features, err = viaSyscall(uffdUserModeOnly)
	if err == nil {
		return limited(fmt.Sprintf("%s; with UFFD_USER_MODE_ONLY: features %#x", evidence, features),
			"a page that is to be served must not be touched by a system call first", "sudo sysctl "+userfaultfdSetting+"=1")
	}
	remedy := "sudo sysctl " + userfaultfdSetting + "=1"
	if errors.Is(callErr, unix.ENOSYS) {
		remedy = "a kernel built with CONFIG_USERFAULTFD=y"
	}
	evidence, remedy = unlessFiltered("userfaultfd", callErr, fmt.Sprintf("%s; with UFFD_USER_MODE_ONLY: %v", evidence, err), remedy)
	return refused(evidence, "a program cannot serve its own page faults", remedy)
}

func viaSyscall(flags uintptr) (features uint64, err error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK|flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return shakeHands(int(fd))
}

func viaDevice() (features uint64, err error) {
	f, err := os.OpenFile(userfaultfdDevice, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), userfaultfdIocNew, unix.O_CLOEXEC|unix.O_NONBLOCK)
	if errno != 0 {
		return 0, os.NewSyscallError("ioctl USERFAULTFD_IOC_NEW", errno)
	}
	return shakeHands(int(fd))
}

// shakeHands asks a userfaultfd for its features, without which it serves nothing, and closes it.
func shakeHands(fd int) (features uint64, err error) {
	defer unix.Close(fd)
	arg := uffdioAPIArg{api: uffdAPI}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uffdioAPI, uintptr(unsafe.Pointer(&arg))); errno != 0 {
		return 0, os.NewSyscallError("ioctl UFFDIO_API", errno)
	}
	return arg.features, nil
}
