//go:build linux

package main

import "github.com/ring3-go/ring3/bench/internal/tool"

// observerMemory compares the most memory that a tool had resident, from exec through a second of load.
func observerMemory() Benchmark {
	load := []string{"switches", "50000"}
	return Benchmark{
		Group: "observers", Name: "observer-memory", Unit: Bytes,
		What:    "switch observer, peak resident memory",
		Prepare: prepareObservers,
		Ours:    resident("ring3", "", observe("switches"), load, firstLine),
		References: []Reference{
			{residentBpftrace("tracepoint:sched:sched_switch", load), 0.3},
			{resident("libbpf-tools runqlat", "runqlat", command("runqlat", "1000"), load, running(runqlatPrograms)), 0},
		},
	}
}

// observerMemoryFault is the same for page faults.
func observerMemoryFault() Benchmark {
	load := []string{"faults", "64", "1"}
	return Benchmark{
		Group: "observers", Name: "observer-memory-fault", Unit: Bytes,
		What:       "fault observer, peak resident memory",
		Prepare:    prepareObservers,
		Ours:       resident("ring3", "", observe("faults"), load, firstLine),
		References: []Reference{{residentBpftrace("software:page-faults:1", load), 0.3}},
	}
}

func residentBpftrace(probe string, load []string) Subject {
	return resident("bpftrace", "bpftrace", countByComm(probe), load, running(1))
}

func resident(label, needs string, argv argvOf, load []string, ready func(*tool.Process) error) Subject {
	return Subject{Label: label, Needs: needs, Measure: func(e *Env) (s Sample, err error) {
		err = withTool(e, argv, func(p *tool.Process) error {
			if err := ready(p); err != nil {
				return err
			}
			if err := e.Load(load...); err != nil {
				return err
			}
			peak, err := p.PeakRSS()
			s.Value = float64(peak)
			return err
		})
		return s, err
	}}
}
