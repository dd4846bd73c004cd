//go:build linux

package main

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"strings"
)

// A record is one comparison, one line of JSON, as record.schema.json has it. The members of one unit are there:
// ns, calls or bytes.
type record struct {
	Schema         string  `json:"schema"`
	Group          string  `json:"group"`
	Name           string  `json:"name"`
	Subject        string  `json:"subject"`
	Reference      string  `json:"reference"`
	SubjectMissing string  `json:"subject_missing,omitempty"` // why ours was not measured
	Missing        string  `json:"missing,omitempty"`         // why the reference was not measured
	Per            string  `json:"per,omitempty"`
	Ns             *Spread `json:"ns,omitempty"`
	ReferenceNs    *Spread `json:"reference_ns,omitempty"`
	Calls          *Spread `json:"calls,omitempty"`
	ReferenceCalls *Spread `json:"reference_calls,omitempty"`
	Bytes          *Spread `json:"bytes,omitempty"`
	ReferenceBytes *Spread `json:"reference_bytes,omitempty"`
	Ratio          *Spread `json:"ratio,omitempty"`
	Target         float64 `json:"target,omitempty"` // the ratio to stay at or below; absent: none
	Met            *bool   `json:"met,omitempty"`
	Programs       []Part  `json:"programs,omitempty"`
	RefPrograms    []Part  `json:"reference_programs,omitempty"`
	Runs           int     `json:"runs"`
	Kernel         string  `json:"kernel"`
}

func printJSON(w io.Writer, r *Result) error {
	enc := json.NewEncoder(w)
	for i := range r.Against {
		if err := enc.Encode(recordOf(r, &r.Against[i])); err != nil {
			return err
		}
	}
	return nil
}

func recordOf(r *Result, c *Comparison) record {
	b := r.Benchmark
	rec := record{
		Schema: "ring3/bench/v1", Group: b.Group, Name: b.Name, Subject: r.Ours.Label, Reference: c.Label,
		SubjectMissing: r.Ours.Missing, Missing: c.Missing, Per: b.Per, Target: c.Target, Runs: r.Runs, Kernel: kernel(),
		Programs: roundedParts(r.Ours.Parts()), RefPrograms: roundedParts(c.Parts()),
	}
	ours, theirs, ratio := r.Ours.Spread().rounded(), c.Spread().rounded(), c.Ratio.rounded()
	mine, its := &rec.Ns, &rec.ReferenceNs
	switch b.Unit {
	case Bytes:
		mine, its = &rec.Bytes, &rec.ReferenceBytes
	case Calls:
		mine, its = &rec.Calls, &rec.ReferenceCalls
	}
	if r.Ours.Missing == "" {
		*mine = &ours
	}
	if c.Missing == "" {
		*its = &theirs
	}
	if !c.compared() {
		return rec
	}
	rec.Ratio = &ratio
	if c.Target > 0 {
		met := c.Met()
		rec.Met = &met
	}
	return rec
}

// thousandths is all that any of these numbers means.
func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }

func (s Spread) rounded() Spread {
	return Spread{thousandths(s.Median), thousandths(s.Min), thousandths(s.Max)}
}

func roundedParts(parts []Part) []Part {
	var out []Part
	for _, p := range parts {
		out = append(out, Part{p.Name, thousandths(p.RunsPerEvent), thousandths(p.NsPerRun)})
	}
	return out
}

// kernel is the release of the one that runs.
func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
