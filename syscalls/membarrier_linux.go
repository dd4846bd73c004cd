package syscalls

import (
	"os"

	"golang.org/x/sys/unix"
)

// A MembarrierCommand is a barrier that [Membarrier] executes on other threads, or a registration for one. Each is a
// bit, so that [MembarrierQuery] can return a set of them.
type MembarrierCommand uint32

// Commands of membarrier(2). Expedited ones interrupt the processors on which such threads run, within
// microseconds; the others wait for every processor to pass through the scheduler, for milliseconds.
const (
	// MEMBARRIER_CMD_GLOBAL orders every running thread of the system. Since 4.3; EINVAL where some processor is
	// tickless (nohz_full).
	MEMBARRIER_CMD_GLOBAL MembarrierCommand = 1 << iota
	// MEMBARRIER_CMD_GLOBAL_EXPEDITED orders the threads of all registered processes. Since 4.16.
	MEMBARRIER_CMD_GLOBAL_EXPEDITED
	// MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED makes this process one whom MEMBARRIER_CMD_GLOBAL_EXPEDITED orders. Since 4.16.
	MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
	// MEMBARRIER_CMD_PRIVATE_EXPEDITED orders the threads of this process. Since 4.14.
	MEMBARRIER_CMD_PRIVATE_EXPEDITED
	// MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED allows it. Since 4.14.
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
	// MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE also makes them execute an instruction that serializes, so that none
	// runs code that was overwritten before. Since 4.16, on arm64 and amd64.
	MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
	// MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE allows it. Since 4.16.
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
	// MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ also restarts their restartable sequences. Since 5.10, with CONFIG_RSEQ.
	MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
	// MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ allows it. Since 5.10, with CONFIG_RSEQ.
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ

	membarrierGetRegistrations // [MembarrierRegistrations]
)

// String names the commands as <linux/membarrier.h> does.
func (c MembarrierCommand) String() string {
	return flagNames(uint64(c), []flagName{
		{uint64(MEMBARRIER_CMD_GLOBAL), "MEMBARRIER_CMD_GLOBAL"},
		{uint64(MEMBARRIER_CMD_GLOBAL_EXPEDITED), "MEMBARRIER_CMD_GLOBAL_EXPEDITED"},
		{uint64(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED), "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"},
		{uint64(MEMBARRIER_CMD_PRIVATE_EXPEDITED), "MEMBARRIER_CMD_PRIVATE_EXPEDITED"},
		{uint64(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED), "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"},
		{uint64(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE), "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"},
		{uint64(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE), "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"},
		{uint64(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ), "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"},
		{uint64(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ), "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"},
		{512, "MEMBARRIER_CMD_GET_REGISTRATIONS"},
	})
}

func membarrier(c MembarrierCommand, flags, cpu uintptr) (MembarrierCommand, error) {
	r, _, errno := Syscall6(unix.SYS_MEMBARRIER, uintptr(c), flags, cpu, 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("membarrier", errno)
	}
	return MembarrierCommand(r), nil
}

// Membarrier executes one command: when it returns, each thread that the command concerns has passed a full memory
// barrier, as if it had executed one itself. It makes one side of a pair of barriers free, where the other may cost
// much. A registration is the process's, and stays until it executes another program.
//
// Errors: EINVAL, not one command, or not one of this kernel; EPERM, the process did not register for a private one;
// ENOSYS.
//
// Since Linux 4.3 (CONFIG_MEMBARRIER). No privilege. Safe for concurrent use. membarrier(2).
func Membarrier(command MembarrierCommand) error {
	if command == 0 || command >= membarrierGetRegistrations { // those that ask a question
		return os.NewSyscallError("membarrier", unix.EINVAL)
	}
	_, err := membarrier(command, 0, 0)
	return err
}

// MembarrierRseqCPU is [Membarrier] with MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ for the one processor, as getcpu(2) counts
// them: if a thread of this process runs there, its restartable sequence is restarted. A processor that is
// not online is no error, and neither is one that is none; a negative one means all of them.
//
// Errors: EPERM, the process did not register; EINVAL, a kernel without; ENOSYS.
//
// Since Linux 5.10 (CONFIG_RSEQ). No privilege. Safe for concurrent use. membarrier(2), MEMBARRIER_CMD_FLAG_CPU.
func MembarrierRseqCPU(cpu int) error {
	const onlyCPU = 1 // MEMBARRIER_CMD_FLAG_CPU
	_, err := membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, onlyCPU, uintptr(cpu))
	return err
}

// MembarrierQuery returns the commands that this kernel has.
//
// Errors: ENOSYS, none. Since Linux 4.3. No privilege. Safe for concurrent use. membarrier(2), MEMBARRIER_CMD_QUERY.
func MembarrierQuery() (MembarrierCommand, error) { return membarrier(0, 0, 0) }

// MembarrierRegistrations returns the registrations of this process.
//
// Errors: EINVAL, an older kernel; ENOSYS.
//
// Since Linux 6.3. No privilege. Safe for concurrent use. membarrier(2), MEMBARRIER_CMD_GET_REGISTRATIONS.
func MembarrierRegistrations() (MembarrierCommand, error) {
	return membarrier(membarrierGetRegistrations, 0, 0)
}
