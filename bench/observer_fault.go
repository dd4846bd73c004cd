//go:build linux

package main

import (
	"runtime"

	"github.com/ring3-go/ring3/internal/procfs"
)

// observerFault compares what a page fault costs with the observer loaded: all programs of a tool,
// divided by the faults that the kernel counted.
func observerFault() Benchmark {
	w := watchedLoad{load: []string{"faults", "64", "6"}, events: hostFaults}
	b := Benchmark{
		Group: "observers", Name: "observer-fault", Unit: Nanoseconds, Per: "fault",
		What:    "program run time a fault, 98,304 first touches",
		Prepare: prepareObservers,
		Ours:    w.under("ring3", "", observe("faults"), firstLine),
	}
	software := w.bpftrace("bpftrace page-faults", "software:page-faults:1")
	if !exceptionTracepoint {
		b.References = []Reference{{software, 2.0}}
		return b
	}
	b.References = []Reference{
		{w.bpftrace("bpftrace page_fault_user", "tracepoint:exceptions:page_fault_user"), 2.0},
		{software, 0},
	}
	return b
}

// exceptionTracepoint: exceptions:page_fault_user exists on x86 alone.
const exceptionTracepoint = runtime.GOARCH == "amd64"

func hostFaults() (uint64, error) {
	st, err := procfs.VMStat()
	return st["pgfault"], err
}
