// Package pagefault observes page faults: how many of which class, how long the kernel took over each,
// and which the kernel counted without anyone being able to see them.
//
// [Observe] attaches eBPF programs that aggregate in the kernel; [Observer.Snapshot] reads counters that
// only grow, so an interval is the difference of two snapshots ([Snapshot.Sub]). Nothing runs in user
// space between snapshots.
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
// Unseen of a snapshot that observed them from birth, to the unit, with Lost at none.
//
// Back ends are chosen by trying, best first; see [Backend]. What one cannot tell is "unknown" in its
// classes, never a guess, and [Backend.CannotTell] says so in words.
//
// Minimum kernel: Linux 6.1 with BTF; the procfs back end works everywhere. Privilege: CAP_BPF and
// CAP_PERFMON; procfs needs none for one's own processes. An Observer is safe for concurrent use. Errors
// match errors.ErrUnsupported where the kernel cannot and fs.ErrPermission where the process may not.
package pagefault
