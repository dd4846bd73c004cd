package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/ring3-go/ring3/ctxswitch"
	"github.com/ring3-go/ring3/internal/hist"
	"github.com/ring3-go/ring3/pagefault"
)

// page is a text report under way; it keeps the first error of its writer.
type page struct {
	w   io.Writer
	out *output
	err error
}

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// heading prints the columns of a table of times.
func (p *page) heading(title string) {
	p.printf("\n%s\n", p.out.bold(fmt.Sprintf("%-38s%9s%9s%8s%8s%8s", title, "count", "total", "p50", "p99", "max")))
}

// row prints one line of such a table. h may have seen fewer than n.
func (p *page) row(name string, n uint64, h *hist.Hist) {
	if h.Count == 0 {
		p.printf("  %-36s%9s%9s%8s%8s%8s\n", cut(name, 36), tally(n, 9), "-", "-", "-", "-")
		return
	}
	p.printf("  %-36s%9s%9s%8s%8s%8s\n", cut(name, 36), tally(n, 9), nanoseconds(h.Sum),
		nanoseconds(h.Quantile(0.5)), nanoseconds(h.Quantile(0.99)), nanoseconds(h.Max))
}

const rowsMax = 12 // of one table; the rest is summed in a last row

func writeRunText(w io.Writer, out *output, r *runRecord, res *result, obs *observers) error {
	p := &page{w: w, out: out}
	p.verdict(r, obs)
	p.summary(r)
	p.classes(obs.faultSnap.Classes)
	p.offCPU(obs.switchSnap.OffCPU)
	p.runDelay(obs.switchSnap)
	p.footer(r, res, obs)
	return p.err
}

// verdict comes first where something is wrong with the numbers below it.
func (p *page) verdict(r *runRecord, obs *observers) {
	if !obs.witnessed() {
		p.noWitness(obs)
		return
	}
	b := reconcile(r)
	if !b.closed() {
		p.printf("%s kernel less probes: faults %+d, voluntary %+d, involuntary %+d; lost %s.\n",
			p.out.red("NOT RECONCILED:"), b.faults, b.voluntary, b.involuntary, count(r.Lost))
		if r.StillRuns > 0 {
			p.printf("  %d processes that the command left behind still run; of those the kernel does not tell\n", r.StillRuns)
			p.printf("  what threads and children that have ended had counted.\n")
		}
		if b.faults < 0 || b.voluntary < 0 || b.involuntary < 0 {
			p.printf("  The kernel has less where a process has ended that nobody waited for (its parent ignores\n")
			p.printf("  SIGCHLD): it adds such a one to nobody's counters, and only the probes have seen it.\n")
		}
	}
}

// noWitness says why there is no eBPF, and how to get it.
func (p *page) noWitness(obs *observers) {
	p.printf("%s\n", p.out.red("No second witness: these are the kernel's own counters alone."))
	for _, refusal := range refusals(obs) {
		p.printf("  %s\n", refusal)
	}
}

func (p *page) summary(r *runRecord) {
	end := fmt.Sprintf("exit %d", r.ExitCode)
	if r.Signal != "" {
		end = "killed by " + r.Signal
	}
	rss := "peak memory unknown"
	if r.MaxRSSBytes != nil {
		rss = bytesText(*r.MaxRSSBytes)
	}
	p.printf("%s  %s: %s wall, %s user, %s sys, %s\n", p.out.bold(cut(clean(strings.Join(r.Command, " ")), 40)), end,
		nanoseconds(r.WallNs), nanoseconds(r.UserNs), nanoseconds(r.SysNs), rss)
	f, s, k := r.Faults, r.Switches, r.Kernel
	p.printf("  faults   %9s = %s", count(f.Minor+f.Major+f.Exec+f.Unseen), parts([]part{
		{f.Minor, "minor", true}, {f.Major, "major", true}, {f.Exec, "in exec", false}, {f.Unseen, "unseen", false},
	}))
	p.printf("; kernel counted %s\n", count(k.Minor+k.Major))
	if f.Failed+f.FixedUp > 0 {
		p.printf("           and %s\n", parts([]part{{f.Failed, "failed", false}, {f.FixedUp, "fixed up in system calls", false}}))
	}
	p.printf("  switches %9s = %s; kernel %s + %s\n", count(s.Total), parts([]part{
		{s.Voluntary, "voluntary", true}, {s.Involuntary, "involuntary", true}, {s.Exit, "last", false},
	}), count(k.Voluntary), count(k.Involuntary))
}

type part struct {
	n      uint64
	name   string
	always bool
}

func parts(ps []part) string {
	var out []string
	for _, x := range ps {
		if x.n > 0 || x.always {
			out = append(out, count(x.n)+" "+x.name)
		}
	}
	return strings.Join(out, " + ")
}

func (p *page) classes(classes []pagefault.ClassStats) {
	if len(classes) == 0 {
		return
	}
	p.heading("page faults")
	var rest hist.Hist
	var restCount uint64
	for i := range classes {
		if i >= rowsMax {
			rest.Merge(&classes[i].Time)
			restCount += classes[i].Count
			continue
		}
		p.row(classes[i].Class.String(), classes[i].Count, &classes[i].Time)
	}
	if restCount > 0 {
		p.row(fmt.Sprintf("(%d more classes)", len(classes)-rowsMax), restCount, &rest)
	}
}

func (p *page) offCPU(off []ctxswitch.OffCPU) {
	if len(off) == 0 {
		return
	}
	p.heading("off CPU, by system call")
	var rest hist.Hist
	for i := range off {
		if i >= rowsMax {
			rest.Merge(&off[i].Time)
			continue
		}
		p.row(off[i].In.String(), off[i].Time.Count, &off[i].Time)
	}
	if rest.Count > 0 {
		p.row(fmt.Sprintf("(%d more)", len(off)-rowsMax), rest.Count, &rest)
	}
}

func (p *page) runDelay(s *ctxswitch.Snapshot) {
	if s.OnCPU.Count == 0 {
		return
	}
	p.heading("waiting for a CPU, and on it")
	p.row("run-queue delay after wake-up", s.RunDelayWoken.Count, &s.RunDelayWoken)
	p.row("run-queue delay after preemption", s.RunDelayPreempted.Count, &s.RunDelayPreempted)
	p.row("on CPU at a stretch", s.OnCPU.Count, &s.OnCPU)
}

func (p *page) footer(r *runRecord, res *result, obs *observers) {
	p.printf("\n")
	if res.left > 0 {
		p.printf("%d processes that the command left behind still run; counted up to now.\n", res.left)
	}
	if !obs.witnessed() {
		return
	}
	p.printf("Quantiles are at most 12.5%% high. %s migrations. Lost: %s.\n", count(r.Switches.Migrations), lossText(obs))
	p.printf("Seen by %s and %s;\n%s.\n", r.Backend.Faults, r.Backend.Switches, r.Cost)
	for _, unknown := range obs.faults.Backend().CannotTell() {
		if p.out.verbose {
			p.printf("This back end cannot tell: %s.\n", unknown)
		}
	}
}

func lossText(obs *observers) string {
	return obs.faultSnap.Lost.Add(obs.switchSnap.Lost).String()
}

// refusals says why there is no eBPF, once for each reason.
func refusals(obs *observers) []string {
	var out []string
	seen := map[string]bool{}
	add := func(err error) {
		if text := cleanLines(err.Error()); !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	for _, r := range obs.faults.Refused() {
		add(r.Err)
	}
	for _, r := range obs.switches.Refused() {
		add(r.Err)
	}
	return append(out, "To see more: sudo, or setcap cap_bpf,cap_perfmon+ep on the probe binary.")
}
