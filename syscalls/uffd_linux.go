package syscalls

import (
	"os"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Faults of a thread go to whoever reads a userfaultfd: man pages userfaultfd(2) and ioctl_userfaultfd(2),
// include/uapi/linux/userfaultfd.h. Addresses and lengths are in bytes and whole pages (EINVAL otherwise).
//
// The operations that fill pages in (copy, zero, continue, poison, move) may end early: they then return EAGAIN
// and how many bytes they did, which may be 0, because the process is changing its memory at the same time.
// Nothing is tried again here. The caller goes on behind those bytes, after it has read the messages that wait:
// the change goes on only when its message is read. EEXIST says that a page is there already, mostly because
// another thread was served first; whoever faulted on it must still be woken ([UffdWake]).
//
// A goroutine that waits for its own page cannot be stopped for a garbage collection where the handler needs
// one: let Go code meet unserved pages only inside a system call that tells the scheduler (MADV_POPULATE_READ),
// or serve from another process.

// Structures of include/uapi/linux/userfaultfd.h that its requests carry. Their last member is the kernel's
// answer.
type (
	uffdioAPI struct {
		_        structs.HostLayout
		api      uint64
		features UffdFeatures
		ioctls   UffdIoctls
	}
	uffdioRange struct {
		_          structs.HostLayout
		start, len uint64
	}
	uffdioRegister struct {
		_      structs.HostLayout
		rng    uffdioRange
		mode   UffdRegisterMode
		ioctls UffdIoctls
	}
	// uffdioCopy is struct uffdio_copy and struct uffdio_move.
	uffdioCopy struct {
		_                   structs.HostLayout
		dst, src, len, mode uint64
		done                int64
	}
	// uffdioFill is struct uffdio_zeropage, uffdio_continue and uffdio_poison.
	uffdioFill struct {
		_    structs.HostLayout
		rng  uffdioRange
		mode uint64
		done int64
	}
	uffdioWriteprotect struct {
		_    structs.HostLayout
		rng  uffdioRange
		mode UffdWriteprotectMode
	}
)

// Requests: direction, size of the structure, the letter 0xaa, and the number.
const (
	userfaultfdIOCNew   = 0xaa00
	uffdioAPIRequest    = 0xc018aa3f
	uffdioRegisterReq   = 0xc020aa00
	uffdioUnregisterReq = 0x8010aa01
	uffdioWakeReq       = 0x8010aa02
	uffdioCopyReq       = 0xc028aa03
	uffdioZeropageReq   = 0xc020aa04
	uffdioMoveReq       = 0xc028aa05
	uffdioProtectReq    = 0xc018aa06
	uffdioContinueReq   = 0xc020aa07
	uffdioPoisonReq     = 0xc020aa08
)

// Userfaultfd makes a userfaultfd for the memory of this process, and returns its descriptor, -1 beside an
// error. [UffdAPI] must follow.
//
// Errors: EPERM, without UFFD_USER_MODE_ONLY it takes CAP_SYS_PTRACE or the sysctl vm.unprivileged_userfaultfd
// (or [UserfaultfdDevice]); EINVAL, a flag that the kernel does not have; EMFILE, ENFILE, ENOMEM; ENOSYS, the
// kernel was built without. Since 4.3; userfaultfd(2).
func Userfaultfd(flags UffdFlags) (fd int, err error) {
	r, _, errno := RawSyscall6(unix.SYS_USERFAULTFD, uintptr(flags), 0, 0, 0, 0, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("userfaultfd", errno)
	}
	return int(r), nil
}

// UserfaultfdDevice makes a userfaultfd of an open /dev/userfaultfd, USERFAULTFD_IOC_NEW: who may open the
// device needs no other privilege. It returns -1 beside an error. Errors: ENOTTY, another file; EINVAL, EMFILE,
// ENFILE, ENOMEM. Since 6.1.
func UserfaultfdDevice(device int, flags UffdFlags) (fd int, err error) {
	r, _, errno := RawSyscall6(unix.SYS_IOCTL, uintptr(device), userfaultfdIOCNew, uintptr(flags), 0, 0, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("ioctl USERFAULTFD_IOC_NEW", errno)
	}
	return int(r), nil
}

// UffdAPI opens the conversation, once a descriptor, and asks for features. It returns all features that the
// kernel has, and the operations of the descriptor itself; those of a range are what [UffdRegister] returns. To
// learn what there is before asking for it takes a second descriptor.
//
// Errors: EINVAL, a feature that the kernel does not have, or a second call; EPERM, UFFD_FEATURE_EVENT_FORK
// without CAP_SYS_PTRACE. Since 4.3.
func UffdAPI(fd int, features UffdFeatures) (available UffdFeatures, ioctls UffdIoctls, err error) {
	arg := &uffdioAPI{api: UFFD_API, features: features}
	if _, errno := ioctl(fd, uffdioAPIRequest, unsafe.Pointer(arg), nil); errno != 0 {
		return 0, 0, os.NewSyscallError("ioctl UFFDIO_API", errno)
	}
	return arg.features, arg.ioctls, nil
}

// UffdRegister makes the faults of a range this descriptor's, and returns the operations for it.
//
// Errors: EINVAL, memory of a kind that the mode does not go with, no memory there, or a mode that the kernel
// does not have; EBUSY, another userfaultfd has it; EPERM, a shared file that is not writable. Since 4.3.
func UffdRegister(fd int, addr, length uintptr, mode UffdRegisterMode) (ioctls UffdIoctls, err error) {
	arg := &uffdioRegister{rng: uffdioRange{start: uint64(addr), len: uint64(length)}, mode: mode}
	if _, errno := ioctl(fd, uffdioRegisterReq, unsafe.Pointer(arg), nil); errno != 0 {
		return 0, os.NewSyscallError("ioctl UFFDIO_REGISTER", errno)
	}
	return arg.ioctls, nil
}

// UffdUnregister gives the range's faults back to the kernel, and wakes who waits in it. EINVAL, no memory
// there, or of a kind that cannot be registered. Since 4.3.
func UffdUnregister(fd int, addr, length uintptr) error {
	return uffdRange(fd, uffdioUnregisterReq, "ioctl UFFDIO_UNREGISTER", addr, length)
}

// UffdWake wakes the threads that wait in the range; they try again, and fault again where there is still no
// page. EINVAL, the range is no range of pages. Since 4.3.
func UffdWake(fd int, addr, length uintptr) error {
	return uffdRange(fd, uffdioWakeReq, "ioctl UFFDIO_WAKE", addr, length)
}

func uffdRange(fd int, request uintptr, name string, addr, length uintptr) error {
	arg := &uffdioRange{start: uint64(addr), len: uint64(length)}
	_, errno := ioctl(fd, request, unsafe.Pointer(arg), nil)
	return callError(name, errno)
}

// UffdCopy makes pages at dst with the bytes of src, whole pages, and wakes who waits for them. It returns how
// many bytes it copied, also beside an error: see above for EAGAIN and EEXIST.
//
// Other errors: ENOENT, the range is not registered, or not in one mapping; EFAULT, src; EINVAL, no whole
// pages; ENOMEM; ENOSPC, a full tmpfs; ESRCH, the process is gone. Since 4.3.
func UffdCopy(fd int, dst uintptr, src []byte, mode UffdCopyMode) (copied int, err error) {
	from := unsafe.Pointer(unsafe.SliceData(src))
	arg := &uffdioCopy{dst: uint64(dst), src: uint64(uintptr(from)), len: uint64(len(src)), mode: uint64(mode)}
	_, errno := ioctl(fd, uffdioCopyReq, unsafe.Pointer(arg), from)
	return int(max(arg.done, 0)), callError("ioctl UFFDIO_COPY", errno)
}

// UffdMove moves pages of private anonymous memory from src to dst without a copy: src is missing after it. It
// returns how many bytes it moved, also beside an error. Errors as of [UffdCopy], and ENOENT where a page of
// src is not there (without UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES), EBUSY where one is pinned or shared with a
// child, EINVAL where src is memory of another kind than dst or locked otherwise. Since 6.8.
func UffdMove(fd int, dst, src, length uintptr, mode UffdMoveMode) (moved int, err error) {
	arg := &uffdioCopy{dst: uint64(dst), src: uint64(src), len: uint64(length), mode: uint64(mode)}
	_, errno := ioctl(fd, uffdioMoveReq, unsafe.Pointer(arg), nil)
	return int(max(arg.done, 0)), callError("ioctl UFFDIO_MOVE", errno)
}

// UffdZeropage makes the range pages of zeros, and wakes who waits for them. It returns how many bytes it did,
// also beside an error. Errors as of [UffdCopy]; not for hugetlbfs (EINVAL). Since 4.3.
func UffdZeropage(fd int, addr, length uintptr, mode UffdZeropageMode) (zeroed int, err error) {
	return uffdFill(fd, uffdioZeropageReq, "ioctl UFFDIO_ZEROPAGE", addr, length, uint64(mode))
}

// UffdContinue maps pages that are in the page cache, for minor faults, and wakes who waits for them. It
// returns how many bytes it mapped, also beside an error. Errors as of [UffdCopy], and EFAULT where a page is
// not in the cache. Since 5.13.
func UffdContinue(fd int, addr, length uintptr, mode UffdContinueMode) (mapped int, err error) {
	return uffdFill(fd, uffdioContinueReq, "ioctl UFFDIO_CONTINUE", addr, length, uint64(mode))
}

// UffdPoison makes every access to the range a SIGBUS, as if its memory was broken, and wakes who waits for it.
// It returns how many bytes it did, also beside an error. Errors as of [UffdCopy]. Since 6.6.
func UffdPoison(fd int, addr, length uintptr, mode UffdPoisonMode) (poisoned int, err error) {
	return uffdFill(fd, uffdioPoisonReq, "ioctl UFFDIO_POISON", addr, length, uint64(mode))
}

func uffdFill(fd int, request uintptr, name string, addr, length uintptr, mode uint64) (done int, err error) {
	arg := &uffdioFill{rng: uffdioRange{start: uint64(addr), len: uint64(length)}, mode: mode}
	_, errno := ioctl(fd, request, unsafe.Pointer(arg), nil)
	return int(max(arg.done, 0)), callError(name, errno)
}

// UffdWriteprotect protects the pages of a range from writes, or ends that and wakes who waits. Errors: EAGAIN,
// the process is changing its memory, nothing was done; ENOENT, the range is not registered for it; EFAULT
// where a part is not mapped; EINVAL. Since 5.7, arm64 6.10.
func UffdWriteprotect(fd int, addr, length uintptr, mode UffdWriteprotectMode) error {
	arg := &uffdioWriteprotect{rng: uffdioRange{start: uint64(addr), len: uint64(length)}, mode: mode}
	_, errno := ioctl(fd, uffdioProtectReq, unsafe.Pointer(arg), nil)
	return callError("ioctl UFFDIO_WRITEPROTECT", errno)
}
