//go:build linux

package main

import (
	"fmt"
	"io"
)

// A goal is one that the project has set itself: a ratio of ours to the reference. Those of time and memory
// are to stay at or below it, those of throughput at or above.
type goal struct {
	what, reference string
	ratio           float64
	atLeast         bool
	benchmark       string // that measures it; empty: to come
}

// goals is the whole table.
func goals() []goal {
	return []goal{
		{"raw system call", "C syscall()", 1.00, false, "raw-call"},
		{"raw system call", "x/sys RawSyscall", 1.00, false, "raw-call"},
		{"clock_gettime", "C through the vDSO", 1.30, false, "clock"},
		{"clock_gettime", "time.Now", 0.65, false, "clock"},
		{"io_uring NOP, batches of 1", "C liburing", 1.05, false, "uring-nop-1"},
		{"io_uring NOP, batches of 32", "C liburing", 1.05, false, "uring-nop-32"},
		{"io_uring NOP, batches of 4096", "C liburing", 1.05, false, "uring-nop-4096"},
		{"page-cache random read, depth 1", "C liburing", 1.05, false, "uring-read-1"},
		{"page-cache random read, depth 32", "C liburing", 1.05, false, "uring-read-32"},
		{"page-cache random read, depth 128", "C liburing", 1.05, false, "uring-read-128"},
		{"TCP echo, io_uring, 64 connections", "C liburing", 1.00, true, "echo-uring-64"},
		{"TCP echo, io_uring, 64 connections", "netpoll", 1.90, true, "echo-uring-64"},
		{"TCP echo, io_uring, 64 connections", "std net", 1.90, true, "echo-uring-64"},
		{"TCP echo, io_uring, 1,000 connections", "C liburing", 1.00, true, "echo-uring-1000"},
		{"TCP echo, io_uring, 1,000 connections", "netpoll", 1.90, true, "echo-uring-1000"},
		{"TCP echo, io_uring, 1,000 connections", "std net", 1.90, true, "echo-uring-1000"},
		{"TCP echo, io_uring, 10,000 connections", "C liburing", 1.00, true, "echo-uring-10000"},
		{"TCP echo, epoll, 64 connections", "netpoll", 1.10, true, "echo-epoll-64"},
		{"TCP echo, epoll, 64 connections", "std net", 1.10, true, "echo-epoll-64"},
		{"TCP echo, epoll, 1,000 connections", "netpoll", 1.10, true, "echo-epoll-1000"},
		{"TCP echo, epoll, 1,000 connections", "std net", 1.10, true, "echo-epoll-1000"},
		{"echo through async", "the raw loop below it", 0.90, true, ""},
		{"fiber switch, one way", "Boost fcontext", 1.00, false, "fiber-switch"},
		{"userfaultfd missing fault served", "C handler thread", 1.10, false, "userfault-missing"},
		{"switch observer", "libbpf-tools runqlat", 1.00, false, "observer-switch"},
		{"fault observer", "bpftrace page_fault_user", 2.00, false, "observer-fault"},
		{"observer start", "bpftrace", 0.30, false, "observer-start"},
		{"observer memory", "bpftrace", 0.30, false, "observer-memory"},
		{"guarded copy of 4 KiB", "copy", 1.10, false, "guarded-copy"},
		{"PAGEMAP_SCAN over 1 GiB sparse, in throughput", "pagemap reads", 10, true, "pagemap-scan"},
	}
}

// printGoals lists what nothing measures yet.
func printGoals(w io.Writer) error {
	if _, err := fmt.Fprintln(w, "\ntargets that nothing measures yet"); err != nil {
		return err
	}
	for _, g := range goals() {
		if g.benchmark != "" {
			continue
		}
		relation := "<="
		if g.atLeast {
			relation = ">="
		}
		if _, err := fmt.Fprintf(w, "  %s %.2f of %s: %s\n", relation, g.ratio, g.reference, g.what); err != nil {
			return err
		}
	}
	return nil
}
