package main

import (
	"fmt"

	"github.com/ring3-go/ring3/ctxswitch"
)

func writeSwitchesText(p *page, r *switchesRecord, d *ctxswitch.Snapshot, opts observeOptions) {
	p.header(&r.intervalRecord, opts)
	p.switchTotals(r)
	if r.Ctxt != nil {
		p.ctxt(r.Ctxt)
	}
	p.runDelay(d)
	p.offCPU(d.OffCPU)
	p.switchWho(r)
	p.preemptions(r)
	p.histograms(r.Histograms)
	p.own(d.Lost, r.Cost, r.CannotTell, r.Backend)
	p.printf("\n")
}

func (p *page) switchTotals(r *switchesRecord) {
	s, host := &r.Switches, r.Scope.Kind == "host"
	n, idle := s.Total, uint64(0)
	if host {
		n, idle = r.Host.Total, r.Host.FromIdle
	}
	line := fmt.Sprintf("(%s/s)", rate(n, r.seconds()))
	if r.Backend != string(ctxswitch.BackendProcfs) || !host {
		line += " = " + parts([]part{
			{s.Voluntary, "voluntary", true}, {s.Involuntary, "involuntary", true},
			{s.Exit, "last", false}, {idle, "from idle", false},
		})
	}
	if s.Migrations > 0 {
		line += fmt.Sprintf("; %s migrations", count(s.Migrations))
	}
	p.fill(total("switches", n), 11, line)
}

// ctxt says whether the kernel's own count agrees.
func (p *page) ctxt(c *ctxtRecord) {
	grew := count(c.Low)
	if c.High > c.Low {
		grew += " to " + count(c.High)
	}
	line := "seen"
	if c.Missed > 0 {
		line += fmt.Sprintf(" + %s unseen = %s", count(c.Missed), count(c.Seen+c.Missed))
	}
	line += fmt.Sprintf("; /proc/stat ctxt grew by %s: ", grew)
	switch off := c.difference(); {
	case off > 0:
		line += count(off) + " MORE than that"
	case off < 0:
		line += count(-off) + " FEWER than that"
	case c.High > c.Low:
		line += fmt.Sprintf("agrees, within the %s between the readings", count(c.High-c.Low))
	default:
		line += "agrees"
	}
	p.fill(total("check", c.Seen), 11, line)
}

func (p *page) switchWho(r *switchesRecord) {
	const format = "%10s%9s%9s%8s%8s%8s"
	if len(r.By) == 0 {
		return
	}
	t := newTable(r.By, fmt.Sprintf(format, "voluntary", "invol.", "/s", "on CPU", "waiting", "off CPU"))
	row := func(key []string, voluntary, involuntary, on, wait, off uint64) {
		t.add(key, fmt.Sprintf(format, tally(voluntary, 9), tally(involuntary, 8), rate(voluntary+involuntary, r.seconds()),
			span(on), span(wait), span(off)))
	}
	for i := range r.Who {
		g := &r.Who[i]
		row(g.cells(), g.Voluntary, g.Involuntary, g.OnCPUNs, g.RunDelayNs, g.OffCPUNs)
	}
	if rest := r.WhoRest; rest.Groups > 0 {
		row([]string{fmt.Sprintf("(%d more)", rest.Groups)}, rest.Voluntary, rest.Involuntary, rest.OnCPUNs, rest.RunDelayNs, rest.OffCPUNs)
	}
	p.table(t, 28)
}

func (p *page) preemptions(r *switchesRecord) {
	t := newTable([]string{"lost the CPU", "to"}, fmt.Sprintf("%9s%9s", "times", "/s"))
	row := func(key []string, n uint64) {
		t.add(key, fmt.Sprintf("%9s%9s", tally(n, 8), rate(n, r.seconds())))
	}
	for _, x := range r.Preemptions {
		row([]string{x.Victim, x.By}, x.Count)
	}
	if rest := r.PreemptionsRest; rest.Pairs > 0 {
		row([]string{fmt.Sprintf("(%d more)", rest.Pairs)}, rest.Count)
	}
	p.table(t, 38)
}
