//go:build linux

package main

import "github.com/ring3-go/ring3/internal/procfs"

// observerSwitch compares what a context switch costs with the observer loaded. Both programs of a
// cycle count, the wake-up's and the switch's, divided by the switches that the kernel counted.
func observerSwitch() Benchmark {
	w := watchedLoad{load: []string{"switches", "200000"}, events: hostSwitches}
	return Benchmark{
		Group: "observers", Name: "observer-switch", Unit: Nanoseconds, Per: "switch",
		What:    "program run time a switch, 200,000 through a pipe",
		Prepare: prepareObservers,
		Ours:    w.under("ring3", "", observe("switches"), firstLine),
		References: []Reference{
			{w.under("libbpf-tools runqlat", "runqlat", command("runqlat", "1000"), running(runqlatPrograms)), 1.0},
			{w.emptyProgram("sched_switch"), 0},
		},
	}
}

func hostSwitches() (uint64, error) {
	st, err := procfs.Stat()
	return st.Ctxt, err
}
