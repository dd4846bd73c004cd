//go:build linux

package main

import (
	"cmp"
	"errors"
	"slices"

	"github.com/ring3-go/ring3/bench/internal/tool"
)

// A watchedLoad is run while a tool observes it.
type watchedLoad struct {
	load   []string
	events func() (uint64, error) // a counter of the kernel's, whose growth is the number of events
}

// under measures what a tool's programs cost.
func (w watchedLoad) under(label, needs string, argv argvOf, ready func(*tool.Process) error) Subject {
	return Subject{Label: label, Needs: needs, Measure: func(e *Env) (s Sample, err error) {
		err = withTool(e, argv, func(p *tool.Process) error {
			if err := ready(p); err != nil {
				return err
			}
			s, err = w.measure(e, p.Programs)
			return err
		})
		return s, err
	}}
}

func (w watchedLoad) bpftrace(label, probe string) Subject {
	return w.under(label, "bpftrace", countByComm(probe), running(1))
}

// measure runs the load and returns what the programs took meanwhile, an event.
func (w watchedLoad) measure(e *Env, programs func() (map[uint32]tool.Program, error)) (Sample, error) {
	before, err := programs()
	if err != nil {
		return Sample{}, err
	}
	from, err := w.events()
	if err != nil {
		return Sample{}, err
	}
	if err := e.Load(w.load...); err != nil {
		return Sample{}, err
	}
	to, err := w.events()
	if err != nil {
		return Sample{}, err
	}
	after, err := programs()
	if err != nil {
		return Sample{}, err
	}
	return spent(before, after, to-from)
}

// spent divides what programs took between two readings by the events that happened meanwhile.
func spent(before, after map[uint32]tool.Program, events uint64) (Sample, error) {
	var s Sample
	if events == 0 {
		return s, errors.New("the load made no event")
	}
	for id, a := range after {
		b := before[id]
		runs, ns := a.Runs-b.Runs, a.Ns-b.Ns
		if runs == 0 {
			continue
		}
		s.Value += float64(ns) / float64(events)
		s.Parts = append(s.Parts, Part{a.Name, float64(runs) / float64(events), float64(ns) / float64(runs)})
	}
	if len(s.Parts) == 0 {
		return s, errors.New("no program ran under the load")
	}
	slices.SortFunc(s.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.RunsPerEvent*b.NsPerRun, a.RunsPerEvent*a.NsPerRun), cmp.Compare(a.Name, b.Name))
	})
	return s, nil
}
