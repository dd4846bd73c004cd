package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/ring3-go/ring3/pagefault"
)

// benchFaultsRecord is ring3/bench/v1 of the group "faults"; docs/json/bench.schema.json says what each field means.
type benchFaultsRecord struct {
	Schema   string          `json:"schema"`
	Group    string          `json:"group"`
	Name     string          `json:"name"`
	Kernel   string          `json:"kernel"`
	Arch     string          `json:"arch"`
	Cannot   string          `json:"cannot,omitempty"`
	Class    string          `json:"class"`
	Count    uint64          `json:"count"`
	MeanNs   uint64          `json:"mean_ns"`
	P50Ns    uint64          `json:"p50_ns"`
	P99Ns    uint64          `json:"p99_ns"`
	MaxNs    uint64          `json:"max_ns"`
	Overhead uint64          `json:"overhead_ns"`
	Signals  int64           `json:"signals"`
	Expected faultCounts     `json:"expected"`
	Counted  countedByKernel `json:"counted"`
	Observer *benchSeen      `json:"observer"`
	Agree    bool            `json:"agree"`

	refused error
}

type countedByKernel struct {
	Minor int64 `json:"minor"`
	Major int64 `json:"major"`
}

type faultCounts struct {
	Minor   int64 `json:"minor"`
	Major   int64 `json:"major"`
	Failed  int64 `json:"failed"`
	FixedUp int64 `json:"fixed_up"`
}

// benchSeen is what an observer saw.
type benchSeen struct {
	Backend string      `json:"backend"`
	Seen    faultCounts `json:"seen"`
	Classes []string    `json:"classes"`
	Lost    uint64      `json:"lost"`
}

func newBenchFaultsRecord(c pagefault.Cause) *benchFaultsRecord {
	return &benchFaultsRecord{
		Schema: "ring3/bench/v1", Group: "faults", Name: c.Name, Kernel: kernelRelease(), Arch: runtime.GOARCH, Class: className(c.Class),
	}
}

// className is the class in words; where no page fault is raised, "no page fault".
func className(c pagefault.Class) string {
	if c.Event == pagefault.EventUnknown {
		return "no page fault"
	}
	return c.String()
}

func (r *benchFaultsRecord) fill(c *pagefault.Caused) {
	r.Class = className(c.Class)
	r.Count = c.Time.Count
	if r.Count > 0 {
		r.MeanNs = uint64(c.Total) / r.Count
		r.Overhead = uint64(c.Overhead) / r.Count
	}
	r.P50Ns, r.P99Ns, r.MaxNs = c.Time.Quantile(0.5), c.Time.Quantile(0.99), c.Time.Max
	r.Signals = c.Signals
	r.Expected = faultCounts(c.Expected)
	r.Counted = countedByKernel{c.Kernel.Minor, c.Kernel.Major}
	r.Agree = r.Counted == countedByKernel{r.Expected.Minor, r.Expected.Major}
}

func (r *benchFaultsRecord) observe(o *pagefault.Observed) {
	if o.Backend == pagefault.BackendProcfs {
		return // it tells nothing of a thread that getrusage does not
	}
	r.Observer = &benchSeen{Backend: string(o.Backend), Seen: faultCounts(o.Seen), Lost: o.Lost.Events(), Classes: []string{}}
	for _, w := range o.Who {
		r.Observer.Classes = append(r.Observer.Classes, w.Key.Class.String())
	}
	r.Agree = r.Agree && r.Observer.Seen == r.Expected
}

const benchFaultsFormat = "%-24s%7s%7s%9s%9s%9s%9s  %s\n"

func benchFaultsHead(out *output) {
	fmt.Fprint(out.data, out.bold(fmt.Sprintf(benchFaultsFormat, "faults", "kernel", "seen", "mean", "p50", "p99", "max", "class, as the observer has it")))
}

func benchFaultsRow(out *output, r *benchFaultsRecord) error {
	if r.Cannot != "" {
		_, err := fmt.Fprintf(out.data, "%-24s cannot here, because %s\n", cut(r.Name, 23), r.Cannot)
		return err
	}
	kernel, seen, class := count(r.Counted.Minor+r.Counted.Major), "-", "-"
	if o := r.Observer; o != nil {
		seen, class = count(o.Seen.Minor+o.Seen.Major+o.Seen.Failed+o.Seen.FixedUp), strings.Join(o.Classes, "; ")
		if class == "" {
			class = "none"
		}
	}
	if r.Signals > 0 {
		class += fmt.Sprintf(", %s signals", count(r.Signals))
	}
	if !r.Agree {
		class += out.red(fmt.Sprintf(" (want %d)", r.Expected.Minor+r.Expected.Major+r.Expected.Failed+r.Expected.FixedUp))
	}
	_, err := fmt.Fprintf(out.data, benchFaultsFormat, cut(r.Name, 23), kernel, seen, nanoseconds(r.MeanNs), nanoseconds(r.P50Ns),
		nanoseconds(r.P99Ns), nanoseconds(r.MaxNs), class)
	return err
}
