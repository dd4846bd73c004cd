package main

import (
	"time"

	"github.com/ring3-go/ring3/ctxswitch"
	"github.com/ring3-go/ring3/internal/bpf"
)

// switchesRecord is ring3/switches/v1; docs/json/switches.schema.json says what each field means.
type switchesRecord struct {
	intervalRecord
	Switches        switchTotals       `json:"switches"`
	Host            hostSwitches       `json:"host"`
	By              []string           `json:"by"`
	Who             []switchWho        `json:"who"`
	WhoRest         switchRest         `json:"who_rest"`
	Preemptions     []preemptionRecord `json:"preemptions"`
	PreemptionsRest preemptionRest     `json:"preemptions_rest"`
	Ctxt            *ctxtRecord        `json:"ctxt"`
	Lost            lostRecord         `json:"lost"`
	Cost            costRecord         `json:"cost"`
	CannotTell      []string           `json:"cannot_tell"`
	Histograms      []histogramRecord  `json:"histograms,omitempty"`
}

// hostSwitches is every switch of the host, whatever the scope.
type hostSwitches struct {
	Total    uint64 `json:"total"`
	FromIdle uint64 `json:"from_idle"`
}

// switchWho is one group.
type switchWho struct {
	keyRecord
	Voluntary     uint64 `json:"voluntary"`
	Involuntary   uint64 `json:"involuntary"`
	RunDelayNs    uint64 `json:"run_delay_ns"`
	RunDelayMaxNs uint64 `json:"run_delay_max_ns"` // since observation began
	OnCPUNs       uint64 `json:"on_cpu_ns"`
	OffCPUNs      uint64 `json:"off_cpu_ns"`
}

// switchRest is all groups that are not shown.
type switchRest struct {
	Groups      int    `json:"groups"`
	Voluntary   uint64 `json:"voluntary"`
	Involuntary uint64 `json:"involuntary"`
	RunDelayNs  uint64 `json:"run_delay_ns"`
	OnCPUNs     uint64 `json:"on_cpu_ns"`
	OffCPUNs    uint64 `json:"off_cpu_ns"`
}

// preemptionRecord says how often tasks of one name lost the CPU to tasks of another.
type preemptionRecord struct {
	Victim string `json:"victim"`
	By     string `json:"by"`
	Count  uint64 `json:"count"`
}

type preemptionRest struct {
	Pairs int    `json:"pairs"`
	Count uint64 `json:"count"`
}

// ctxtRecord compares with ctxt of /proc/stat, which counts every switch of the host.
type ctxtRecord struct {
	Low        uint64 `json:"low"`
	High       uint64 `json:"high"`
	Seen       uint64 `json:"seen"`
	Missed     uint64 `json:"missed"`
	Reconciled bool   `json:"reconciled"`
}

func newCtxtRecord(d *ctxswitch.Snapshot, from, to switchReading) *ctxtRecord {
	c := &ctxtRecord{Seen: d.Switches, Missed: d.Lost.Missed}
	c.Low, c.High = growth(from.ctxt, to.ctxt)
	c.Reconciled = c.difference() == 0
	return c
}

// difference is how many more switches the kernel counted than were seen or missed; less than 0 where it
// counted fewer.
func (c *ctxtRecord) difference() int64 {
	return outside(c.Seen+c.Missed, c.Seen+c.Missed, c.Low, c.High)
}

func newSwitchesRecord(d *ctxswitch.Snapshot, opts observeOptions, b ctxswitch.Backend, from, to time.Time, names *cgroupNames) *switchesRecord {
	r := &switchesRecord{
		intervalRecord: newIntervalRecord("ring3/switches/v1", from, to, opts.target, string(b)),
		Switches:       newSwitchTotals(d),
		Host:           hostSwitches{d.Switches, d.FromIdle},
		By:             keyNames(opts.by),
		Preemptions:    []preemptionRecord{},
		Lost:           newLostRecord(d.Lost),
		CannotTell:     append([]string{}, b.CannotTell()...),
	}
	r.Cost = newCostRecord(d.Cost, bpf.Cost{Known: true}, r.seconds())
	if b == ctxswitch.BackendProcfs && opts.target.Host() {
		r.CannotTell = append(r.CannotTell, "which switches were voluntary, and which left an idle CPU")
	}
	r.addWho(d.Who, opts, names)
	shown, rest := top(d.Preemptions, opts.top)
	for _, p := range shown {
		r.Preemptions = append(r.Preemptions, preemptionRecord{clean(p.Victim), clean(p.By), p.Count})
	}
	r.PreemptionsRest.Pairs = len(rest)
	for _, p := range rest {
		r.PreemptionsRest.Count += p.Count
	}
	if opts.hist {
		r.Histograms = switchHistograms(d)
	}
	return r
}

func (r *switchesRecord) addWho(who []ctxswitch.WhoStats, opts observeOptions, names *cgroupNames) {
	shown, rest := top(who, opts.top)
	r.Who = []switchWho{}
	for i := range shown {
		g := &shown[i]
		r.Who = append(r.Who, switchWho{
			keyRecord: newSwitchKey(&g.Key, opts.by, names), Voluntary: g.Voluntary, Involuntary: g.Involuntary,
			RunDelayNs: uint64(g.RunDelay), RunDelayMaxNs: uint64(g.RunDelayMax),
			OnCPUNs: uint64(g.OnCPU), OffCPUNs: uint64(g.OffCPU),
		})
	}
	r.WhoRest.Groups = len(rest)
	for i := range rest {
		r.WhoRest.Voluntary += rest[i].Voluntary
		r.WhoRest.Involuntary += rest[i].Involuntary
		r.WhoRest.RunDelayNs += uint64(rest[i].RunDelay)
		r.WhoRest.OnCPUNs += uint64(rest[i].OnCPU)
		r.WhoRest.OffCPUNs += uint64(rest[i].OffCPU)
	}
}

func newSwitchKey(k *ctxswitch.Key, by bpf.By, names *cgroupNames) keyRecord {
	r := newTaskKey(names, by, k.Comm, k.PID, k.TID, k.Cgroup)
	if by&bpf.BySyscall != 0 {
		r.Syscall = new(k.Syscall.String())
	}
	return r
}

func switchHistograms(d *ctxswitch.Snapshot) []histogramRecord {
	out := []histogramRecord{
		newHistogramRecord("run-queue delay after wake-up", &d.RunDelayWoken),
		newHistogramRecord("run-queue delay after preemption", &d.RunDelayPreempted),
		newHistogramRecord("on CPU at a stretch", &d.OnCPU),
	}
	for i := range d.OffCPU[:min(len(d.OffCPU), histogramsMax)] {
		out = append(out, newHistogramRecord("off CPU in "+d.OffCPU[i].In.String(), &d.OffCPU[i].Time))
	}
	return out
}
