//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
)

func printList(w io.Writer, all []Benchmark) error {
	for _, b := range all {
		fmt.Fprintf(w, "%-22s %s\n", b.Name, b.What)
		for _, ref := range b.References {
			target := "for information"
			if ref.Target > 0 {
				target = fmt.Sprintf("target <= %.2f", ref.Target)
			}
			if _, err := fmt.Fprintf(w, "%-22s   against %s, %s\n", "", ref.Label, target); err != nil {
				return err
			}
		}
	}
	return nil
}

// printText prints a table of at most 80 columns.
func printText(w io.Writer, r *Result) error {
	var out strings.Builder
	b := r.Benchmark
	scale, unit := scaleOf(b, r.Ours.Spread().Median)
	fmt.Fprintf(&out, "%s: %s\n", b.Name, b.What)
	fmt.Fprintf(&out, "  %-26s %8s %17s  %s\n", unit, "median", "min..max", "ratio (min..max)")
	row(&out, &r.Ours, scale, "")
	for i := range r.Against {
		row(&out, &r.Against[i].Measured, scale, verdict(&r.Against[i]))
	}
	parts(&out, r)
	_, err := io.WriteString(w, out.String())
	return err
}

func row(out io.Writer, m *Measured, scale float64, verdict string) {
	if m.Missing != "" {
		fmt.Fprintf(out, "  %-26s missing: %s\n", m.Label, m.Missing)
		return
	}
	s := m.Spread()
	line := fmt.Sprintf("  %-26s %8.1f %17s  %s", m.Label, s.Median/scale,
		fmt.Sprintf("%.1f..%.1f", s.Min/scale, s.Max/scale), verdict)
	fmt.Fprintln(out, strings.TrimRight(line, " "))
}

func verdict(c *Comparison) string {
	if !c.compared() || c.Target == 0 {
		return ""
	}
	answer := "missed"
	if c.Met() {
		answer = "met"
	}
	return fmt.Sprintf("%.2f (%.2f..%.2f)\n%58s<= %.2f %s", c.Ratio.Median, c.Ratio.Min, c.Ratio.Max, "", c.Target, answer)
}

// parts prints the programs of the median run of everyone.
func parts(out io.Writer, r *Result) {
	measured := []*Measured{&r.Ours}
	for i := range r.Against {
		measured = append(measured, &r.Against[i].Measured)
	}
	heading := fmt.Sprintf("  %-26s %-18s %9s %8s %8s\n", "programs of", "name", "runs/"+r.Benchmark.Per, "ns/run",
		"ns/"+r.Benchmark.Per)
	for _, m := range measured {
		label := m.Label
		for _, p := range m.Parts() {
			if p.RunsPerEvent < 0.0005 {
				continue // what happens now and then on any machine
			}
			io.WriteString(out, heading)
			heading = ""
			fmt.Fprintf(out, "  %-26s %-18s %9.3f %8.1f %8.1f\n", label, p.Name, p.RunsPerEvent, p.NsPerRun,
				p.RunsPerEvent*p.NsPerRun)
			label = ""
		}
	}
}

// scaleOf picks the unit that a person reads most easily.
func scaleOf(b Benchmark, value float64) (scale float64, unit string) {
	switch {
	case b.Unit == Calls:
		scale, unit = 1, "calls"
	case b.Unit == Bytes && b.Per != "":
		scale, unit = 1, "bytes"
	case b.Unit == Bytes:
		scale, unit = 1<<20, "MiB"
	case value >= 1e6:
		scale, unit = 1e6, "ms"
	default:
		scale, unit = 1, "ns"
	}
	if b.Per != "" {
		unit += " a " + b.Per
	}
	return scale, unit
}
