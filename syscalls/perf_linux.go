package syscalls

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests to an event of perf_event_open(2), which package unix opens; its man page has them all. fd is the
// event's. Errors of all: EBADF, ENOTTY, no event; EFAULT; None of them can be interrupted.

// PerfIoctlFlags are those of [PerfEventEnable], [PerfEventDisable] and [PerfEventReset].
type PerfIoctlFlags uint32

const (
	PERF_IOC_FLAG_GROUP PerfIoctlFlags = 1 << 0 // means all events of the group that the event leads. Since 2.6.33
)

var perfIoctlFlagsNames = []flagName{
	{uint64(PERF_IOC_FLAG_GROUP), "PERF_IOC_FLAG_GROUP"},
}

// String writes the flags by the names that linux/perf_event.h gives them.
func (f PerfIoctlFlags) String() string { return flagNames(uint64(f), perfIoctlFlagsNames) }

// PerfEventEnable starts the event's counting; the time that it was disabled does not count as enabled. Since
// 2.6.31.
func PerfEventEnable(fd int, flags PerfIoctlFlags) error {
	return perfIoctl(fd, unix.PERF_EVENT_IOC_ENABLE, "ioctl PERF_EVENT_IOC_ENABLE", uintptr(flags))
}

// PerfEventDisable stops the event's counting; the count stays. Since 2.6.31.
func PerfEventDisable(fd int, flags PerfIoctlFlags) error {
	return perfIoctl(fd, unix.PERF_EVENT_IOC_DISABLE, "ioctl PERF_EVENT_IOC_DISABLE", uintptr(flags))
}

// PerfEventReset sets the count to 0; the times of enabled and running stay. Since 2.6.31.
func PerfEventReset(fd int, flags PerfIoctlFlags) error {
	return perfIoctl(fd, unix.PERF_EVENT_IOC_RESET, "ioctl PERF_EVENT_IOC_RESET", uintptr(flags))
}

// PerfEventRefresh enables the event for n more overflows, after which it is disabled and its readers are told
// (POLL_HUP). What 0 does is not defined; [PerfEventEnable] has no limit. EINVAL, the event does not sample, or
// is inherited. Since 2.6.31.
func PerfEventRefresh(fd, n int) error {
	return perfIoctl(fd, unix.PERF_EVENT_IOC_REFRESH, "ioctl PERF_EVENT_IOC_REFRESH", uintptr(n))
}

// PerfEventPeriod sets the number of events from one sample to the next, or with PerfBitFreq the number of
// samples a second. EINVAL, the event does not sample, 0, or more samples than
// kernel.perf_event_max_sample_rate. Since 2.6.31.
func PerfEventPeriod(fd int, period uint64) error {
	_, _, errno := RawSyscall6(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_PERIOD,
		uintptr(unsafe.Pointer(&period)), 0, 0, 0)
	return callError("ioctl PERF_EVENT_IOC_PERIOD", errno)
}

// PerfEventSetOutput sends the event's records to the ring of another event, of the same processor or thread
// and clock; with output -1 nowhere. EINVAL, the two do not go together, or the event has a ring of its own
// that is mapped. Since 2.6.31.
func PerfEventSetOutput(fd, output int) error {
	return perfIoctl(fd, unix.PERF_EVENT_IOC_SET_OUTPUT, "ioctl PERF_EVENT_IOC_SET_OUTPUT", uintptr(output))
}

// PerfEventSetFilter counts only what an expression lets through: "common_pid != 0" for a tracepoint, ranges of
// addresses for hardware traces. EINVAL, no expression that the event understands, a zero byte in it, or an
// event without filters; EEXIST, it has one; ENOMEM. Since 2.6.33.
func PerfEventSetFilter(fd int, filter string) error {
	const name = "ioctl PERF_EVENT_IOC_SET_FILTER"
	text, err := unix.BytePtrFromString(filter)
	if err != nil {
		return callError(name, unix.EINVAL)
	}
	_, _, errno := Syscall6(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_SET_FILTER,
		uintptr(unsafe.Pointer(text)), 0, 0, 0)
	return callError(name, errno)
}

// PerfEventID returns the number that samples and group reads name the event by. Since 3.12.
func PerfEventID(fd int) (id uint64, err error) {
	_, _, errno := RawSyscall6(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_ID,
		uintptr(unsafe.Pointer(&id)), 0, 0, 0)
	return id, callError("ioctl PERF_EVENT_IOC_ID", errno)
}

// PerfEventSetBPF runs an eBPF program at each event, of type tracepoint, kprobe or perf_event as the event is.
// It stays until the event is closed; a bpf_link is the newer way (5.15). EINVAL, the types do not go together;
// EEXIST, it has one already, which a tracepoint may; EBADF, program is none; E2BIG; EPERM. Since 4.1.
func PerfEventSetBPF(fd, program int) error {
	return perfIoctl(fd, unix.PERF_EVENT_IOC_SET_BPF, "ioctl PERF_EVENT_IOC_SET_BPF", uintptr(program))
}

// PerfEventPauseOutput keeps records out of the event's ring, and lets them in again: what happens meanwhile is
// lost, without a record of its own. EINVAL, the event has no ring. Since 4.7.
func PerfEventPauseOutput(fd int, pause bool) error {
	var arg uintptr
	if pause {
		arg = 1
	}
	return perfIoctl(fd, unix.PERF_EVENT_IOC_PAUSE_OUTPUT, "ioctl PERF_EVENT_IOC_PAUSE_OUTPUT", arg)
}

// PerfEventQueryBPF fills ids in with the numbers of the programs that run at a tracepoint, and returns how
// many there are, which with the error ENOSPC is more than ids has room for; no ids only ask for the number.
// Other errors: EINVAL, no tracepoint; EPERM, without CAP_PERFMON; E2BIG, room for more than 64 programs. Since
// 4.16.
func PerfEventQueryBPF(fd int, ids []uint32) (n int, err error) {
	// struct perf_event_query_bpf: the room, the number, and then the room itself.
	query := make([]uint32, 2+len(ids))
	query[0] = uint32(len(ids))
	_, _, errno := RawSyscall6(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_QUERY_BPF,
		uintptr(unsafe.Pointer(&query[0])), 0, 0, 0)
	if errno != 0 && errno != unix.ENOSPC {
		return 0, callError("ioctl PERF_EVENT_IOC_QUERY_BPF", errno)
	}
	copy(ids, query[2:])
	return int(query[1]), callError("ioctl PERF_EVENT_IOC_QUERY_BPF", errno)
}

// PerfEventModifyAttributes changes a breakpoint to another address, length or kind, and whether it is
// disabled; nothing else may differ. EINVAL, it does, or cannot be set; EOPNOTSUPP, no breakpoint; ENOSPC, all
// are in use. Since 4.17.
func PerfEventModifyAttributes(fd int, attr *unix.PerfEventAttr) error {
	_, _, errno := Syscall6(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_MODIFY_ATTRIBUTES,
		uintptr(unsafe.Pointer(attr)), 0, 0, 0)
	return callError("ioctl PERF_EVENT_IOC_MODIFY_ATTRIBUTES", errno)
}

// perfIoctl is a request whose argument is a number. The kernel answers other processors, and waits for them:
// for a time that interrupts take.
func perfIoctl(fd int, request uintptr, name string, arg uintptr) error {
	_, _, errno := RawSyscall6(unix.SYS_IOCTL, uintptr(fd), request, arg, 0, 0, 0)
	return callError(name, errno)
}
