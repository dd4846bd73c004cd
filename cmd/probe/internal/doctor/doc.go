// Package doctor finds out what this host lets probe do, and says how to get the rest.
//
// [Examine] tries each thing and reports what the kernel answered: it opens every back end of the observers
// and causes events of which the kernel knows the number, maps huge pages, sets up a ring, takes its own
// capabilities off for a moment. No version number decides anything. [Text] prints the result for people, and a
// [Check] marshals to JSON for programs.
//
//	checks := doctor.Examine(ctx)
//	return doctor.Text(os.Stdout, checks, false)
//
// Needs no privilege and no particular kernel: to say what is missing is its purpose. It maps and frees a few
// MiB, pages some of its own pages out where there is swap, and changes no setting. All that it opens is closed
// when Examine returns; the eBPF loader's mappings go with the next garbage collection. One thing it cannot
// survive, and neither would the rest of probe: a seccomp filter that kills for a system call instead of
// refusing it.
//
// Outside Linux there is one check, which says so. The functions are safe for concurrent use.
package doctor
