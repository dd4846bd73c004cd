// Package bpf loads our eBPF programs, attaches them, and answers for what they cost and lost.
//
// The C side stands in include/: the kernel types that programs touch, histograms, scopes and keys.
// A [Session] owns everything that one observer put into the kernel. All of it hangs on descriptors, and
// nothing is pinned, so it goes when the session is closed or the process dies, however it dies.
//
// Needs Linux 6.1 with BTF, and CAP_BPF and CAP_PERFMON. A Session is safe for concurrent use.
package bpf
