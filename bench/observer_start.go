//go:build linux

package main

import (
	"time"

	"github.com/ring3-go/ring3/bench/internal/tool"
)

const firstData = "first data" // what observe prints, and what bpftrace is told to

// observerStart compares the time from exec until the first event stands on standard output.
func observerStart() Benchmark {
	return Benchmark{
		Group: "observers", Name: "observer-start", Unit: Nanoseconds,
		What:    "switch observer, exec to first data",
		Prepare: prepareObservers,
		Ours:    started("ring3", "", observe("switches"), printed),
		References: []Reference{
			{startedBpftrace("tracepoint:sched:sched_switch"), 0.3},
			{started("runqlat, until attached", "runqlat", command("runqlat", "1000"), attached), 1.0},
		},
	}
}

// observerStartFault is the same for page faults, of which no libbpf tool exists.
func observerStartFault() Benchmark {
	return Benchmark{
		Group: "observers", Name: "observer-start-fault", Unit: Nanoseconds,
		What:       "fault observer, exec to first data",
		Prepare:    prepareObservers,
		Ours:       started("ring3", "", observe("faults"), printed),
		References: []Reference{{startedBpftrace("software:page-faults:1"), 0.3}},
	}
}

func startedBpftrace(probe string) Subject {
	script := probe + ` { printf("` + firstData + `\n"); exit(); }`
	return started("bpftrace", "bpftrace", command("bpftrace", "-e", script), printed)
}

// started measures a tool's start; first returns the time from exec to the first data.
func started(label, needs string, argv argvOf, first func(*tool.Process) (time.Duration, error)) Subject {
	return Subject{Label: label, Needs: needs, Measure: func(e *Env) (s Sample, err error) {
		err = withTool(e, argv, func(p *tool.Process) error {
			took, err := first(p)
			s.Value = float64(took.Nanoseconds())
			return err
		})
		return s, err
	}}
}

// printed waits for the tool to say so. The bench makes events meanwhile, lest a quiet host be slow.
func printed(p *tool.Process) (time.Duration, error) {
	stop := make(chan struct{})
	defer close(stop)
	go tool.Stir(stop)
	return p.WaitLine(firstData)
}

// attached is the least that runqlat can need: it prints nothing before its first second is over. So this
// reference is the time until its programs ran, without reading or printing anything.
func attached(p *tool.Process) (time.Duration, error) {
	if err := p.WaitRunning(runqlatPrograms); err != nil {
		return 0, err
	}
	return p.Age(), nil
}
