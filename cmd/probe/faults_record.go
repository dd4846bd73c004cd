package main

import (
	"fmt"
	"time"

	"github.com/ring3-go/ring3/internal/bpf"
	"github.com/ring3-go/ring3/internal/hist"
	"github.com/ring3-go/ring3/pagefault"
)

// faultsRecord is ring3/faults/v1; docs/json/faults.schema.json says what each field means.
type faultsRecord struct {
	intervalRecord
	Faults     faultTotals       `json:"faults"`
	By         []string          `json:"by"`
	Who        []faultWho        `json:"who"`
	WhoRest    faultRest         `json:"who_rest"`
	VMStat     *vmstatRecord     `json:"vmstat"`
	Lost       lostRecord        `json:"lost"`
	Cost       costRecord        `json:"cost"`
	CannotTell []string          `json:"cannot_tell"`
	Histograms []histogramRecord `json:"histograms,omitempty"`
}

// faultWho is one group.
type faultWho struct {
	keyRecord
	Count   uint64 `json:"count"`
	Major   uint64 `json:"major"`
	TotalNs uint64 `json:"total_ns"`
	MaxNs   uint64 `json:"max_ns"` // since observation began
}

// faultRest is all groups that are not shown.
type faultRest struct {
	Groups  int    `json:"groups"`
	Count   uint64 `json:"count"`
	Major   uint64 `json:"major"`
	TotalNs uint64 `json:"total_ns"`
}

// vmstatRecord compares with /proc/vmstat. pgfault counts each fault that reaches the kernel's handler:
// those without an exception, and of the unresolved ones those at an address that is mapped.
type vmstatRecord struct {
	Low        uint64 `json:"pgfault_low"`
	High       uint64 `json:"pgfault_high"`
	MajorLow   uint64 `json:"pgmajfault_low"`
	MajorHigh  uint64 `json:"pgmajfault_high"`
	Seen       uint64 `json:"seen"`
	Unresolved uint64 `json:"unresolved"`
	Explained  bool   `json:"explained"`
}

func newVMStatRecord(d *pagefault.Snapshot, from, to faultReading) *vmstatRecord {
	v := &vmstatRecord{Seen: d.Minor + d.Major + d.Exec + d.Unseen, Unresolved: d.Failed + d.FixedUp}
	v.Low, v.High = growth(from.faults, to.faults)
	v.MajorLow, v.MajorHigh = growth(from.major, to.major)
	off := v.difference()
	v.Explained = max(off, -off) <= int64(d.Lost.Events())
	return v
}

// difference is how many more faults the kernel counted than all that was seen explains; less than 0 where
// it counted fewer.
func (v *vmstatRecord) difference() int64 {
	return outside(v.Seen, v.Seen+v.Unresolved, v.Low, v.High)
}

// outside is how far the interval from low to high lies above the one from min to max, less than 0 where it
// lies below, and 0 where they meet.
func outside(least, most, low, high uint64) int64 {
	switch {
	case low > most:
		return int64(low - most)
	case high < least:
		return -int64(least - high)
	}
	return 0
}

func newFaultsRecord(d *pagefault.Snapshot, opts observeOptions, b pagefault.Backend, from, to time.Time, names *cgroupNames) *faultsRecord {
	r := &faultsRecord{
		intervalRecord: newIntervalRecord("ring3/faults/v1", from, to, opts.target, string(b)),
		Faults:         newFaultTotals(d),
		By:             keyNames(opts.by),
		Who:            []faultWho{},
		Lost:           newLostRecord(d.Lost),
		CannotTell:     append([]string{}, b.CannotTell()...),
	}
	r.Cost = newCostRecord(d.Cost, bpf.Cost{Known: true}, r.seconds())
	shown, rest := top(d.Who, opts.top)
	for i := range shown {
		g := &shown[i]
		r.Who = append(r.Who, faultWho{newFaultKey(&g.Key, opts.by, names), g.Count, g.Major, uint64(g.Time), uint64(g.TimeMax)})
	}
	r.WhoRest.Groups = len(rest)
	for i := range rest {
		r.WhoRest.Count += rest[i].Count
		r.WhoRest.Major += rest[i].Major
		r.WhoRest.TotalNs += uint64(rest[i].Time)
	}
	if opts.hist {
		r.Histograms = faultHistograms(d)
	}
	return r
}

func newFaultKey(k *pagefault.Key, by bpf.By, names *cgroupNames) keyRecord {
	r := newTaskKey(names, by, k.Comm, k.PID, k.TID, k.Cgroup)
	if by&bpf.ByClass != 0 {
		r.Class = new(k.Class.String())
	}
	if by&bpf.ByFile != 0 {
		r.File, r.Inode, r.Device = new(clean(k.File)), &k.Inode, new(fmt.Sprintf("%d:%d", k.Device>>20, k.Device&(1<<20-1)))
	}
	return r
}

// histogramsMax is how many classes, or system calls, get a distribution of their own.
const histogramsMax = 3

func faultHistograms(d *pagefault.Snapshot) []histogramRecord {
	var all hist.Hist
	for i := range d.Classes {
		all.Merge(&d.Classes[i].Time)
	}
	out := []histogramRecord{newHistogramRecord("handler time", &all)}
	for i := range d.Classes[:min(len(d.Classes), histogramsMax)] {
		out = append(out, newHistogramRecord("handler time, "+d.Classes[i].Class.String(), &d.Classes[i].Time))
	}
	return out
}
