//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A Spread is what several runs gave.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// A Measured is one subject's runs.
type Measured struct {
	Label   string
	Missing string // why it was not measured
	Samples []Sample
}

// A Comparison is a reference's runs and how ours relate to them.
type Comparison struct {
	Measured
	Target float64 // 0: none
	Ratio  Spread  // round by round, ours to the reference
}

// A Result is one benchmark's outcome.
type Result struct {
	Benchmark Benchmark
	Runs      int
	Ours      Measured
	Against   []Comparison
}

// measure runs all subjects of a benchmark in turn, runs times.
func measure(ctx context.Context, e *Env, b Benchmark, runs int) (*Result, error) {
	var nobody missingError // why no subject can be measured
	if b.Prepare != nil {
		undo, err := b.Prepare(e)
		if err != nil && !errors.As(err, &nobody) {
			return nil, err
		}
		if err == nil {
			defer undo()
		}
	}
	subjects := []Subject{b.Ours}
	for _, ref := range b.References {
		subjects = append(subjects, ref.Subject)
	}
	all := make([]Measured, len(subjects))
	for i, s := range subjects {
		all[i] = Measured{Label: s.Label, Missing: cmp.Or(string(nobody), missing(s))}
	}
	for range runs {
		for i, s := range subjects {
			if all[i].Missing != "" {
				continue
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			sample, err := s.Measure(e)
			if err != nil && ctx.Err() != nil {
				return nil, context.Cause(ctx) // the terminal's Ctrl-C reached the tool too
			}
			if why := missingError(""); errors.As(err, &why) {
				all[i].Missing = string(why)
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.Label, err)
			}
			all[i].Samples = append(all[i].Samples, sample)
		}
	}
	r := &Result{Benchmark: b, Runs: runs, Ours: all[0]}
	for i, ref := range b.References {
		c := Comparison{Measured: all[i+1], Target: ref.Target}
		if c.Missing == "" && r.Ours.Missing == "" {
			c.Ratio = ratio(r.Ours.Samples, c.Samples)
		}
		r.Against = append(r.Against, c)
	}
	return r, nil
}

func missing(s Subject) string {
	if s.Needs == "" {
		return ""
	}
	if _, err := exec.LookPath(s.Needs); err != nil {
		return s.Needs + " is not installed"
	}
	if s.Library == "" {
		return ""
	}
	// gcc prints the path of a library that it has, and the bare name of one that it has not.
	path, err := exec.Command("gcc", "-print-file-name="+s.Library).Output()
	if err != nil || !filepath.IsAbs(strings.TrimSpace(string(path))) {
		return s.Library + " is not installed"
	}
	return ""
}

// compared reports whether both sides were measured, so that there is a ratio.
func (c *Comparison) compared() bool { return c.Ratio != Spread{} }

// Met reports whether the target is reached; it is false too where there is none.
func (c *Comparison) Met() bool { return c.compared() && c.Target > 0 && c.Ratio.Median <= c.Target }

// Spread is over all runs.
func (m *Measured) Spread() Spread {
	values := make([]float64, len(m.Samples))
	for i, s := range m.Samples {
		values[i] = s.Value
	}
	return spread(values)
}

// Parts are those of the median run: a run that happened, so that they add up to its value.
func (m *Measured) Parts() []Part {
	if len(m.Samples) == 0 {
		return nil
	}
	sorted := slices.Clone(m.Samples)
	slices.SortFunc(sorted, func(a, b Sample) int {
		if a.Value < b.Value {
			return -1
		}
		return 1
	})
	return sorted[len(sorted)/2].Parts
}

func ratio(ours, theirs []Sample) Spread {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i].Value / theirs[i].Value
	}
	return spread(ratios)
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (middle + sorted[len(sorted)/2-1]) / 2
	}
	return Spread{Median: middle, Min: sorted[0], Max: sorted[len(sorted)-1]}
}
