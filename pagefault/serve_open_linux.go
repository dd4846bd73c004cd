//go:build amd64 || arm64

package pagefault

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

const uffdDevice = "/dev/userfaultfd"

// openUffd makes a userfaultfd through the first door that is open: the system call, the device, and, where
// faults of user mode are enough, the call for those alone. It says which they are.
func openUffd(flags syscalls.UffdFlags, userMode bool) (fd int, userOnly bool, err error) {
	fd, err = syscalls.Userfaultfd(flags)
	if err == nil {
		return fd, false, nil
	}
	if errors.Is(err, unix.ENOSYS) {
		return -1, false, &NotSupportedError{Feature: "serving page faults", Since: "Linux 4.3 with CONFIG_USERFAULTFD", Err: err}
	}
	if !errors.Is(err, unix.EPERM) {
		return -1, false, err
	}
	if device, openErr := os.OpenFile(uffdDevice, os.O_RDWR, 0); openErr == nil {
		defer device.Close()
		if fd, devErr := syscalls.UserfaultfdDevice(int(device.Fd()), flags); devErr == nil {
			return fd, false, nil
		}
	}
	if !userMode {
		return -1, false, &NotPermittedError{
			Op: "serve page faults in this process", Err: err,
			Needs: "CAP_SYS_PTRACE, access to " + uffdDevice + " or the sysctl vm.unprivileged_userfaultfd; or a handler in another process",
		}
	}
	fd, err = syscalls.Userfaultfd(flags | syscalls.UFFD_USER_MODE_ONLY)
	if errors.Is(err, unix.EPERM) {
		err = &NotPermittedError{Op: "serve page faults", Needs: "CAP_SYS_PTRACE, or a policy that allows userfaultfd", Err: err}
	}
	return fd, true, err
}

// A featureNeed is what a region cannot do without, and where it came from.
type featureNeed struct {
	features syscalls.UffdFeatures
	what     string
	since    string
}

// needs lists what the options cannot do without.
func (o *ServeOptions) needs() []featureNeed {
	var needs []featureNeed
	protectSince := "Linux 5.7"
	if runtime.GOARCH == "arm64" {
		protectSince = "Linux 6.10 on arm64"
	}
	if o.Faults&ServeWriteProtect != 0 {
		needs = append(needs, featureNeed{syscalls.UFFD_FEATURE_PAGEFAULT_FLAG_WP, "serving writes to protected pages", protectSince})
	}
	if o.Faults&ServeMinor != 0 {
		needs = append(needs, featureNeed{syscalls.UFFD_FEATURE_MISSING_SHMEM | syscalls.UFFD_FEATURE_MINOR_SHMEM,
			"serving minor faults", "Linux 5.14"})
		if o.Faults&ServeWriteProtect != 0 {
			needs = append(needs, featureNeed{syscalls.UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "protecting shared memory", "Linux 5.19, on arm64 6.10"})
		}
	}
	if o.HugePages {
		needs = append(needs, featureNeed{syscalls.UFFD_FEATURE_MISSING_HUGETLBFS, "serving huge pages", "Linux 4.11"})
		if o.Faults&ServeWriteProtect != 0 {
			needs = append(needs, featureNeed{syscalls.UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "protecting huge pages", "Linux 5.19, on arm64 6.10"})
		}
	}
	if o.Events != nil {
		needs = append(needs, featureNeed{
			syscalls.UFFD_FEATURE_EVENT_REMAP | syscalls.UFFD_FEATURE_EVENT_REMOVE | syscalls.UFFD_FEATURE_EVENT_UNMAP,
			"events of memory", "Linux 4.11"})
	}
	return needs
}

// negotiate opens a userfaultfd with every feature that the options need, and those that help where the kernel
// has them. A descriptor can be asked once, so the first is opened to learn what there is.
func (o *ServeOptions) negotiate() (fd int, userOnly bool, features syscalls.UffdFeatures, err error) {
	userMode := o.Remote != nil
	fd, _, err = openUffd(unix.O_CLOEXEC, userMode)
	if err != nil {
		return -1, false, 0, err
	}
	available, _, err := syscalls.UffdAPI(fd, 0)
	unix.Close(fd)
	if err != nil {
		return -1, false, 0, err
	}
	want := available & (syscalls.UFFD_FEATURE_THREAD_ID | syscalls.UFFD_FEATURE_POISON | syscalls.UFFD_FEATURE_MOVE)
	for _, n := range o.needs() {
		if available&n.features != n.features {
			return -1, false, 0, &NotSupportedError{Feature: n.what, Since: n.since}
		}
		want |= n.features
	}
	tries := []syscalls.UffdFeatures{want}
	if o.Events != nil { // of forks only who has the capability may know
		tries = []syscalls.UffdFeatures{want | syscalls.UFFD_FEATURE_EVENT_FORK, want}
	}
	for _, want := range tries {
		fd, userOnly, err = openUffd(unix.O_CLOEXEC, userMode)
		if err != nil {
			return -1, false, 0, err
		}
		if _, _, err = syscalls.UffdAPI(fd, want); err == nil {
			return fd, userOnly, want, nil
		}
		unix.Close(fd)
		if !errors.Is(err, unix.EPERM) {
			break
		}
	}
	return -1, false, 0, fmt.Errorf("ask for %v: %w", want, err)
}
