// Package ctxswitch observes context switches: how many and of which kind, how long threads waited for a
// processor, ran, and were blocked, and in which system call.
//
// [Observe] attaches eBPF programs that aggregate in the kernel; [Observer.Snapshot] reads counters that
// only grow, so an interval is the difference of two snapshots ([Snapshot.Sub]).
//
//	obs, err := ctxswitch.Observe(ctxswitch.Options{Target: ctxswitch.Target{PID: pid}})
//	if err != nil {
//		return err
//	}
//	defer obs.Close()
//	// ... later
//	snap, err := obs.Snapshot()
//
// Voluntary and involuntary are what the kernel counts in nvcsw and nivcsw. The books close: over the whole
// host Switches equals the growth of ctxt in /proc/stat, and for tasks observed from birth the counts
// equal getrusage's, but for each task's last switch (Exit), which rusage has or not depending on who reaps when.
//
// Minimum kernel: Linux 6.1 with BTF; the procfs back end works everywhere. Privilege: CAP_BPF and
// CAP_PERFMON; procfs needs none for one's own processes. An Observer is safe for concurrent use. Errors
// match errors.ErrUnsupported where the kernel cannot and fs.ErrPermission where the process may not.
package ctxswitch
