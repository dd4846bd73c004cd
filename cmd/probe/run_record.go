package main

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ring3-go/ring3/ctxswitch"
	"github.com/ring3-go/ring3/internal/hist"
	"github.com/ring3-go/ring3/pagefault"
)

// runRecord is ring3/run/v1; docs/json/run.schema.json says what each field means.
type runRecord struct {
	Schema      string       `json:"schema"`
	Command     []string     `json:"command"`                  // a byte that is not UTF-8 is encoded as U+FFFD
	Bytes       [][]byte     `json:"command_base64,omitempty"` // and all arguments are here then
	ExitCode    int          `json:"exit_code"`
	Signal      string       `json:"signal,omitempty"`
	WallNs      int64        `json:"wall_ns"`
	UserNs      int64        `json:"user_ns"`
	SysNs       int64        `json:"sys_ns"`
	MaxRSSBytes *uint64      `json:"max_rss_bytes"` // null where it cannot be told
	Backend     runBackends  `json:"backend"`
	Faults      faultTotals  `json:"faults"`
	Switches    switchTotals `json:"switches"`
	Kernel      kernelTotals `json:"kernel"`
	Reconciled  bool         `json:"reconciled"`
	Lost        uint64       `json:"lost"`
	StillRuns   int          `json:"still_running"`
	Cost        costRecord   `json:"cost"`
	CannotTell  []string     `json:"cannot_tell"` // fields that speak of these are 0 or empty

	faultsLost uint64 // of Lost
}

type runBackends struct {
	Faults   string `json:"faults"`
	Switches string `json:"switches"`
}

type faultTotals struct {
	Total   uint64        `json:"total"`
	Minor   uint64        `json:"minor"`
	Major   uint64        `json:"major"`
	Failed  uint64        `json:"failed"`
	FixedUp uint64        `json:"fixed_up"`
	Before  uint64        `json:"before"`
	Exec    uint64        `json:"exec"`
	Unseen  uint64        `json:"unseen"`
	Classes []classRecord `json:"classes"`
}

// timeRecord is a histogram in five numbers; quantiles are at most 12.5 % high.
type timeRecord struct {
	Count   uint64 `json:"count"`
	TotalNs uint64 `json:"total_ns"`
	P50Ns   uint64 `json:"p50_ns"`
	P99Ns   uint64 `json:"p99_ns"`
	MaxNs   uint64 `json:"max_ns"`
}

type classRecord struct {
	Class  string `json:"class"`
	Memory string `json:"memory"`
	Event  string `json:"event"`
	Access string `json:"access"`
	Major  bool   `json:"major"`
	Timed  uint64 `json:"timed"` // of count, how many have a time
	timeRecord
}

type switchTotals struct {
	Total       uint64         `json:"total"`
	Voluntary   uint64         `json:"voluntary"`
	Involuntary uint64         `json:"involuntary"`
	Exit        uint64         `json:"exit"`
	Before      uint64         `json:"before"`
	Migrations  uint64         `json:"migrations"`
	RunDelay    timeRecord     `json:"run_delay"`
	Woken       timeRecord     `json:"run_delay_woken"`
	Preempted   timeRecord     `json:"run_delay_preempted"`
	OnCPU       timeRecord     `json:"on_cpu"`
	OffCPU      []offCPURecord `json:"off_cpu"`
}

type offCPURecord struct {
	Syscall string `json:"syscall"`
	timeRecord
}

type kernelTotals struct {
	Minor       uint64 `json:"minor"`
	Major       uint64 `json:"major"`
	Voluntary   uint64 `json:"voluntary"`
	Involuntary uint64 `json:"involuntary"`
}

// costRecord is what the observers took; null where it is not known.
type costRecord struct {
	Events     *uint64  `json:"events"`
	NsPerEvent *float64 `json:"ns_per_event"`
	CPUPercent *float64 `json:"cpu_percent"`
	Estimated  bool     `json:"estimated"` // from one run in 64
}

// String is the cost in words.
func (c costRecord) String() string {
	if c.Events == nil {
		return "the probes' own cost is not known"
	}
	each := fmt.Sprintf("%.0fns each", *c.NsPerEvent)
	if c.Estimated {
		each = fmt.Sprintf("about %.0fns each (1 in 64 timed)", *c.NsPerEvent)
	}
	return fmt.Sprintf("the probes ran %s times, %s: %.2f%% of one CPU", count(*c.Events), each, *c.CPUPercent)
}

func emptyRunRecord(args []string) *runRecord {
	r := &runRecord{Schema: "ring3/run/v1", Command: args, Backend: runBackends{"none", "none"}}
	if slices.ContainsFunc(args, func(a string) bool { return !utf8.ValidString(a) }) {
		for _, a := range args {
			r.Bytes = append(r.Bytes, []byte(a))
		}
	}
	r.CannotTell = []string{}
	r.Faults.Classes = []classRecord{}
	r.Switches.OffCPU = []offCPURecord{}
	return r
}

func newRunRecord(args []string, res *result, obs *observers) *runRecord {
	r := emptyRunRecord(args)
	f, s := obs.faultSnap, obs.switchSnap
	r.ExitCode = res.exitCode
	if res.signal != 0 {
		r.Signal = signalName(res.signal)
	}
	r.WallNs, r.UserNs, r.SysNs = int64(res.wall), int64(res.user), int64(res.sys)
	if res.maxRSS > 0 {
		r.MaxRSSBytes = &res.maxRSS
	}
	r.StillRuns = res.left
	r.Backend = runBackends{string(obs.faults.Backend()), string(obs.switches.Backend())}
	r.Kernel = kernelTotals{res.kernel.minor, res.kernel.major, res.kernel.voluntary, res.kernel.involuntary}
	r.Faults = newFaultTotals(f)
	r.Switches = newSwitchTotals(s)
	r.faultsLost = f.Lost.Events()
	r.Lost = r.faultsLost + s.Lost.Events()
	r.CannotTell = append(r.CannotTell, obs.faults.Backend().CannotTell()...)
	r.CannotTell = append(r.CannotTell, obs.switches.Backend().CannotTell()...)
	r.Reconciled = obs.witnessed() && reconcile(r).closed()
	r.Cost = newCostRecord(f.Cost.Sub(obs.idleFaultCost), s.Cost.Sub(obs.idleSwitchCost), res.wall.Seconds())
	return r
}

func newFaultTotals(f *pagefault.Snapshot) faultTotals {
	t := faultTotals{
		Total: f.Total(), Minor: f.Minor, Major: f.Major, Failed: f.Failed, FixedUp: f.FixedUp,
		Exec: f.Exec, Unseen: f.Unseen, Classes: []classRecord{},
	}
	for _, c := range f.Classes {
		rec := classRecord{
			Class: c.Class.String(), Memory: c.Class.Memory.String(), Event: c.Class.Event.String(),
			Access: c.Class.Access.String(), Major: c.Class.Major,
			Timed: c.Time.Count, timeRecord: newTimeRecord(&c.Time),
		}
		rec.Count = c.Count
		t.Classes = append(t.Classes, rec)
	}
	return t
}

func newSwitchTotals(s *ctxswitch.Snapshot) switchTotals {
	delay := s.RunDelay()
	t := switchTotals{
		Total: s.Total(), Voluntary: s.Voluntary, Involuntary: s.Involuntary, Exit: s.Exit, Migrations: s.Migrations,
		RunDelay: newTimeRecord(&delay), Woken: newTimeRecord(&s.RunDelayWoken),
		Preempted: newTimeRecord(&s.RunDelayPreempted), OnCPU: newTimeRecord(&s.OnCPU),
		OffCPU: []offCPURecord{},
	}
	for _, o := range s.OffCPU {
		t.OffCPU = append(t.OffCPU, offCPURecord{o.In.String(), newTimeRecord(&o.Time)})
	}
	return t
}

func newTimeRecord(h *hist.Hist) timeRecord {
	return timeRecord{h.Count, h.Sum, h.Quantile(0.5), h.Quantile(0.99), h.Max}
}

func newCostRecord(faults pagefault.Cost, switches ctxswitch.Cost, seconds float64) costRecord {
	if !faults.Known || !switches.Known {
		return costRecord{}
	}
	events, ns := faults.Runs+switches.Runs, float64(faults.Ns+switches.Ns)
	perEvent, percent := 0.0, 0.0
	if events > 0 {
		perEvent = ns / float64(events)
	}
	if seconds > 0 {
		percent = ns / seconds / 1e7
	}
	return costRecord{&events, &perEvent, &percent, faults.Sampled || switches.Sampled}
}

// balance is how far our books are from the kernel's.
type balance struct {
	faults      int64 // the kernel's count less ours
	involuntary int64
	voluntary   int64 // 0 inside the interval that last switches leave open

	faultsLost, switchesLost uint64
}

// reconcile compares what probes saw with what the kernel counted, by the identities of the package
// documentation of pagefault and ctxswitch.
func reconcile(r *runRecord) balance {
	f, s, k := r.Faults, r.Switches, r.Kernel
	b := balance{faultsLost: r.faultsLost, switchesLost: r.Lost - r.faultsLost}
	b.faults = int64(k.Minor+k.Major) - int64(f.Minor+f.Major+f.Before+f.Exec+f.Unseen)
	b.involuntary = int64(k.Involuntary) - int64(s.Involuntary)
	switch low, high := s.Voluntary, s.Voluntary+s.Exit; {
	case k.Voluntary < low:
		b.voluntary = int64(k.Voluntary) - int64(low)
	case k.Voluntary > high:
		b.voluntary = int64(k.Voluntary) - int64(high)
	}
	return b
}

// closed reports whether the books agree, or differ by no more than is known to be lost.
func (b balance) closed() bool {
	within := func(d int64, lost uint64) bool { return max(d, -d) <= int64(lost) }
	return within(b.faults, b.faultsLost) && within(b.involuntary, b.switchesLost) && within(b.voluntary, b.switchesLost)
}
