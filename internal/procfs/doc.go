// Package procfs reads the kernel's own counters: what it knows of a process
// or thread, of the host's switches and faults, of its CPUs and control groups.
//
// These are the figures that observers are reconciled with, so the readers
// take every number as the kernel prints it and refuse what they cannot
// parse. They are not for walking a host's processes fast, and cover only the
// files and fields that this module needs. Memory maps are package mmu's.
//
// /proc has to be mounted, and a pid counts in that mount's pid namespace. No
// reader needs a privilege for a process that /proc shows; with hidepid, the
// processes of other users look gone or are refused with [os.ErrPermission].
// The package needs Linux 4.10 or later, and is empty elsewhere.
//
// A process or thread can end at any time. Its readers then return an error
// that matches [os.ErrNotExist] where it was gone before the file was opened,
// or [syscall.ESRCH] where it went between open and read; [Gone] tells both
// from everything else. A file that this kernel was built without is reported
// as [errors.ErrUnsupported] instead. A pid may be reused: compare
// [PidStatInfo.StartTime] where that matters.
//
// Each call reads afresh, nothing is kept, and all functions are safe for
// concurrent use.
//
//	before, err := procfs.TaskStat(pid, tid)
//	…
//	after, err := procfs.TaskStat(pid, tid)
//	if procfs.Gone(err) {
//		// it ended
//	}
//	minor := after.MinFlt - before.MinFlt
package procfs
