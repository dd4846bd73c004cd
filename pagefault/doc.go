// Package pagefault is about page faults, from four sides: it causes them, catches them, serves them and observes
// them.
//
// [Observe] attaches eBPF programs that aggregate in the kernel: how many faults of which class, how long the
// kernel took over each, and which it counted without anyone being able to see them. [Observer.Snapshot] reads
// counters that only grow, so an interval is the difference of two snapshots ([Snapshot.Sub]). Nothing runs in
// user space between snapshots.
//
//	obs, err := pagefault.Observe(pagefault.Options{Target: pagefault.Target{PID: pid}})
//	if err != nil {
//		return err
//	}
//	defer obs.Close()
//	// ... later
//	snap, err := obs.Snapshot()
//
// The books close. For a set of tasks, getrusage's minor plus major faults equal Minor + Major + Exec +
// Unseen of a snapshot that observed them from birth, to the unit, with Lost at none. Back ends are chosen by
// trying, best first; see [Backend]. What one cannot tell is "unknown" in its classes, never a guess, and
// [Backend.CannotTell] says so in words.
//
// [Serve] makes memory whose pages come from a function, by userfaultfd: a snapshot that is loaded as it is needed,
// writes that are tracked, a table that is computed where somebody looks. The function runs in this process or,
// with [ServeRemote], in another one. It cannot stand in the way of the garbage collector: see [Region].
//
// [Causes] lists ways to make faults of each class, with the counts that the kernel must show for them:
// [Cause.Run], and [Cause.RunObserved] for both sides' books. [Exceptions] is the processor's table of exceptions,
// of which each that a program can raise is shown by raising it: [Exception.Catch] and [CatchAccess] return a [Fault]
// out of a child process. That child is this program, started again: main, or TestMain, calls [Child] first. What an
// access of this process met that [github.com/ring3-go/ring3/mmu.Guarded] made, [FaultOf] says in the same words.
//
// Minimum kernel: to observe, Linux 6.1 with BTF, and any for the procfs back end; to serve in this process 5.14, in
// another 4.3; to cause and catch, any. Privilege: to observe, CAP_BPF and CAP_PERFMON, and none for the counts of
// one's own processes; to serve in this process, CAP_SYS_PTRACE, /dev/userfaultfd or a sysctl. Everything may be
// used from any goroutine. Errors match errors.ErrUnsupported where the kernel cannot and fs.ErrPermission where
// the process may not.
package pagefault
