package syscalls

import (
	"golang.org/x/sys/unix"
)

// UffdFlags are those of [Userfaultfd]: O_CLOEXEC and O_NONBLOCK of package unix, and UFFD_USER_MODE_ONLY.
type UffdFlags uint32

// UFFD_USER_MODE_ONLY makes a userfaultfd that is told of faults in user mode alone; a fault inside a system call
// is then EFAULT there. Without privilege it is the only one that can be had. Since 5.11.
const UFFD_USER_MODE_ONLY UffdFlags = 1

// String writes the flags by the names that linux/userfaultfd.h and fcntl.h give them.
func (f UffdFlags) String() string {
	return flagNames(uint64(f), []flagName{
		{uint64(UFFD_USER_MODE_ONLY), "UFFD_USER_MODE_ONLY"}, {unix.O_CLOEXEC, "O_CLOEXEC"}, {unix.O_NONBLOCK, "O_NONBLOCK"},
	})
}

// UFFD_API is the only version of the interface that there is. Since 4.3.
const UFFD_API = 0xaa

// UffdFeatures are what a userfaultfd can do beyond faults on missing anonymous pages: [UffdAPI].
type UffdFeatures uint64

const (
	UFFD_FEATURE_PAGEFAULT_FLAG_WP  UffdFeatures = 1 << 0  // write-protection of anonymous memory. Since 5.7, arm64 6.10
	UFFD_FEATURE_EVENT_FORK         UffdFeatures = 1 << 1  // a message when the process forks; needs CAP_SYS_PTRACE. Since 4.11
	UFFD_FEATURE_EVENT_REMAP        UffdFeatures = 1 << 2  // a message of mremap(2). Since 4.11
	UFFD_FEATURE_EVENT_REMOVE       UffdFeatures = 1 << 3  // a message of MADV_DONTNEED and MADV_REMOVE. Since 4.11
	UFFD_FEATURE_MISSING_HUGETLBFS  UffdFeatures = 1 << 4  // missing pages of hugetlbfs. Since 4.11
	UFFD_FEATURE_MISSING_SHMEM      UffdFeatures = 1 << 5  // missing pages of shared memory. Since 4.11
	UFFD_FEATURE_EVENT_UNMAP        UffdFeatures = 1 << 6  // a message of munmap(2). Since 4.11
	UFFD_FEATURE_SIGBUS             UffdFeatures = 1 << 7  // no message: the thread gets SIGBUS. Since 4.14
	UFFD_FEATURE_THREAD_ID          UffdFeatures = 1 << 8  // the message names the thread. Since 4.14
	UFFD_FEATURE_MINOR_HUGETLBFS    UffdFeatures = 1 << 9  // minor faults of hugetlbfs. Since 5.13
	UFFD_FEATURE_MINOR_SHMEM        UffdFeatures = 1 << 10 // minor faults of shared memory. Since 5.14
	UFFD_FEATURE_EXACT_ADDRESS      UffdFeatures = 1 << 11 // the message has the address itself, not its page. Since 5.18
	UFFD_FEATURE_WP_HUGETLBFS_SHMEM UffdFeatures = 1 << 12 // write-protection of hugetlbfs and shared memory. Since 5.19, arm64 6.10
	UFFD_FEATURE_WP_UNPOPULATED     UffdFeatures = 1 << 13 // write-protection of anonymous pages that are not there. Since 6.4, arm64 6.10
	UFFD_FEATURE_POISON             UffdFeatures = 1 << 14 // [UffdPoison]. Since 6.6
	UFFD_FEATURE_WP_ASYNC           UffdFeatures = 1 << 15 // a write ends its page's protection without a message: see [PagemapScan]. Since 6.7, arm64 6.10
	UFFD_FEATURE_MOVE               UffdFeatures = 1 << 16 // [UffdMove]. Since 6.8
)

var uffdFeaturesNames = []flagName{
	{uint64(UFFD_FEATURE_PAGEFAULT_FLAG_WP), "UFFD_FEATURE_PAGEFAULT_FLAG_WP"},
	{uint64(UFFD_FEATURE_EVENT_FORK), "UFFD_FEATURE_EVENT_FORK"},
	{uint64(UFFD_FEATURE_EVENT_REMAP), "UFFD_FEATURE_EVENT_REMAP"},
	{uint64(UFFD_FEATURE_EVENT_REMOVE), "UFFD_FEATURE_EVENT_REMOVE"},
	{uint64(UFFD_FEATURE_MISSING_HUGETLBFS), "UFFD_FEATURE_MISSING_HUGETLBFS"},
	{uint64(UFFD_FEATURE_MISSING_SHMEM), "UFFD_FEATURE_MISSING_SHMEM"},
	{uint64(UFFD_FEATURE_EVENT_UNMAP), "UFFD_FEATURE_EVENT_UNMAP"},
	{uint64(UFFD_FEATURE_SIGBUS), "UFFD_FEATURE_SIGBUS"},
	{uint64(UFFD_FEATURE_THREAD_ID), "UFFD_FEATURE_THREAD_ID"},
	{uint64(UFFD_FEATURE_MINOR_HUGETLBFS), "UFFD_FEATURE_MINOR_HUGETLBFS"},
	{uint64(UFFD_FEATURE_MINOR_SHMEM), "UFFD_FEATURE_MINOR_SHMEM"},
	{uint64(UFFD_FEATURE_EXACT_ADDRESS), "UFFD_FEATURE_EXACT_ADDRESS"},
	{uint64(UFFD_FEATURE_WP_HUGETLBFS_SHMEM), "UFFD_FEATURE_WP_HUGETLBFS_SHMEM"},
	{uint64(UFFD_FEATURE_WP_UNPOPULATED), "UFFD_FEATURE_WP_UNPOPULATED"},
	{uint64(UFFD_FEATURE_POISON), "UFFD_FEATURE_POISON"},
	{uint64(UFFD_FEATURE_WP_ASYNC), "UFFD_FEATURE_WP_ASYNC"},
	{uint64(UFFD_FEATURE_MOVE), "UFFD_FEATURE_MOVE"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdFeatures) String() string { return flagNames(uint64(f), uffdFeaturesNames) }

// UffdRegisterMode says which faults a range reports: [UffdRegister].
type UffdRegisterMode uint64

const (
	UFFDIO_REGISTER_MODE_MISSING UffdRegisterMode = 1 << 0 // of pages that are not there. Since 4.3
	UFFDIO_REGISTER_MODE_WP      UffdRegisterMode = 1 << 1 // writes to pages that [UffdWriteprotect] protects. Since 5.7, arm64 6.10
	UFFDIO_REGISTER_MODE_MINOR   UffdRegisterMode = 1 << 2 // of pages that are in the page cache and not mapped. Since 5.13
)

var uffdRegisterModeNames = []flagName{
	{uint64(UFFDIO_REGISTER_MODE_MISSING), "UFFDIO_REGISTER_MODE_MISSING"},
	{uint64(UFFDIO_REGISTER_MODE_WP), "UFFDIO_REGISTER_MODE_WP"},
	{uint64(UFFDIO_REGISTER_MODE_MINOR), "UFFDIO_REGISTER_MODE_MINOR"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdRegisterMode) String() string { return flagNames(uint64(f), uffdRegisterModeNames) }

// UffdIoctls are the operations that a userfaultfd, or a range of it, has: the bits that linux/userfaultfd.h
// numbers as _UFFDIO_REGISTER and so on.
type UffdIoctls uint64

const (
	UFFD_IOCTL_REGISTER     UffdIoctls = 1 << 0  // [UffdRegister]. Since 4.3
	UFFD_IOCTL_UNREGISTER   UffdIoctls = 1 << 1  // [UffdUnregister]. Since 4.3
	UFFD_IOCTL_WAKE         UffdIoctls = 1 << 2  // [UffdWake]. Since 4.3
	UFFD_IOCTL_COPY         UffdIoctls = 1 << 3  // [UffdCopy]. Since 4.3
	UFFD_IOCTL_ZEROPAGE     UffdIoctls = 1 << 4  // [UffdZeropage]. Since 4.3
	UFFD_IOCTL_MOVE         UffdIoctls = 1 << 5  // [UffdMove]. Since 6.8
	UFFD_IOCTL_WRITEPROTECT UffdIoctls = 1 << 6  // [UffdWriteprotect]. Since 5.7
	UFFD_IOCTL_CONTINUE     UffdIoctls = 1 << 7  // [UffdContinue]. Since 5.13
	UFFD_IOCTL_POISON       UffdIoctls = 1 << 8  // [UffdPoison]. Since 6.6
	UFFD_IOCTL_API          UffdIoctls = 1 << 63 // [UffdAPI]. Since 4.3
)

var uffdIoctlsNames = []flagName{
	{uint64(UFFD_IOCTL_REGISTER), "UFFDIO_REGISTER"},
	{uint64(UFFD_IOCTL_UNREGISTER), "UFFDIO_UNREGISTER"},
	{uint64(UFFD_IOCTL_WAKE), "UFFDIO_WAKE"},
	{uint64(UFFD_IOCTL_COPY), "UFFDIO_COPY"},
	{uint64(UFFD_IOCTL_ZEROPAGE), "UFFDIO_ZEROPAGE"},
	{uint64(UFFD_IOCTL_MOVE), "UFFDIO_MOVE"},
	{uint64(UFFD_IOCTL_WRITEPROTECT), "UFFDIO_WRITEPROTECT"},
	{uint64(UFFD_IOCTL_CONTINUE), "UFFDIO_CONTINUE"},
	{uint64(UFFD_IOCTL_POISON), "UFFDIO_POISON"},
	{uint64(UFFD_IOCTL_API), "UFFDIO_API"},
}

// String writes the operations by the names that linux/userfaultfd.h gives their requests.
func (f UffdIoctls) String() string { return flagNames(uint64(f), uffdIoctlsNames) }

// UffdCopyMode are the flags of [UffdCopy].
type UffdCopyMode uint64

const (
	UFFDIO_COPY_MODE_DONTWAKE UffdCopyMode = 1 << 0 // leaves waking to [UffdWake]. Since 4.3
	UFFDIO_COPY_MODE_WP       UffdCopyMode = 1 << 1 // the page comes write-protected. Since 5.7
)

var uffdCopyModeNames = []flagName{
	{uint64(UFFDIO_COPY_MODE_DONTWAKE), "UFFDIO_COPY_MODE_DONTWAKE"},
	{uint64(UFFDIO_COPY_MODE_WP), "UFFDIO_COPY_MODE_WP"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdCopyMode) String() string { return flagNames(uint64(f), uffdCopyModeNames) }

// UffdZeropageMode are the flags of [UffdZeropage].
type UffdZeropageMode uint64

const (
	UFFDIO_ZEROPAGE_MODE_DONTWAKE UffdZeropageMode = 1 << 0 // leaves waking to [UffdWake]. Since 4.3
)

var uffdZeropageModeNames = []flagName{
	{uint64(UFFDIO_ZEROPAGE_MODE_DONTWAKE), "UFFDIO_ZEROPAGE_MODE_DONTWAKE"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdZeropageMode) String() string { return flagNames(uint64(f), uffdZeropageModeNames) }

// UffdWriteprotectMode are the flags of [UffdWriteprotect].
type UffdWriteprotectMode uint64

const (
	UFFDIO_WRITEPROTECT_MODE_WP       UffdWriteprotectMode = 1 << 0 // protects; without it the protection ends. Since 5.7
	UFFDIO_WRITEPROTECT_MODE_DONTWAKE UffdWriteprotectMode = 1 << 1 // leaves waking to [UffdWake]; not with the former. Since 5.7
)

var uffdWriteprotectModeNames = []flagName{
	{uint64(UFFDIO_WRITEPROTECT_MODE_WP), "UFFDIO_WRITEPROTECT_MODE_WP"},
	{uint64(UFFDIO_WRITEPROTECT_MODE_DONTWAKE), "UFFDIO_WRITEPROTECT_MODE_DONTWAKE"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdWriteprotectMode) String() string { return flagNames(uint64(f), uffdWriteprotectModeNames) }

// UffdContinueMode are the flags of [UffdContinue].
type UffdContinueMode uint64

const (
	UFFDIO_CONTINUE_MODE_DONTWAKE UffdContinueMode = 1 << 0 // leaves waking to [UffdWake]. Since 5.13
	UFFDIO_CONTINUE_MODE_WP       UffdContinueMode = 1 << 1 // the page comes write-protected. Since 6.4
)

var uffdContinueModeNames = []flagName{
	{uint64(UFFDIO_CONTINUE_MODE_DONTWAKE), "UFFDIO_CONTINUE_MODE_DONTWAKE"},
	{uint64(UFFDIO_CONTINUE_MODE_WP), "UFFDIO_CONTINUE_MODE_WP"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdContinueMode) String() string { return flagNames(uint64(f), uffdContinueModeNames) }

// UffdPoisonMode are the flags of [UffdPoison].
type UffdPoisonMode uint64

const (
	UFFDIO_POISON_MODE_DONTWAKE UffdPoisonMode = 1 << 0 // leaves waking to [UffdWake]. Since 6.6
)

var uffdPoisonModeNames = []flagName{
	{uint64(UFFDIO_POISON_MODE_DONTWAKE), "UFFDIO_POISON_MODE_DONTWAKE"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdPoisonMode) String() string { return flagNames(uint64(f), uffdPoisonModeNames) }

// UffdMoveMode are the flags of [UffdMove].
type UffdMoveMode uint64

const (
	UFFDIO_MOVE_MODE_DONTWAKE        UffdMoveMode = 1 << 0 // leaves waking to [UffdWake]. Since 6.8
	UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES UffdMoveMode = 1 << 1 // passes over pages of the source that are not there. Since 6.8
)

var uffdMoveModeNames = []flagName{
	{uint64(UFFDIO_MOVE_MODE_DONTWAKE), "UFFDIO_MOVE_MODE_DONTWAKE"},
	{uint64(UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES), "UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdMoveMode) String() string { return flagNames(uint64(f), uffdMoveModeNames) }
