package main

import (
	"fmt"

	"github.com/ring3-go/ring3/pagefault"
)

func writeFaultsText(p *page, r *faultsRecord, d *pagefault.Snapshot, opts observeOptions) {
	p.header(&r.intervalRecord, opts)
	f := &r.Faults
	n := f.Minor + f.Major + f.Exec + f.Unseen
	p.fill(total("faults", n), 11, fmt.Sprintf("(%s/s) = %s", rate(n, r.seconds()), parts([]part{
		{f.Minor, "minor", true}, {f.Major, "major", true}, {f.Exec, "in exec", false}, {f.Unseen, "unseen", false},
	})))
	if n := f.Failed + f.FixedUp; n > 0 {
		p.fill(total("and", n), 11, "unresolved = "+parts([]part{{f.Failed, "failed", false}, {f.FixedUp, "fixed up in system calls", false}}))
	}
	if r.VMStat != nil {
		p.vmstat(r.VMStat)
	}
	p.classes(d.Classes)
	p.faultWho(r)
	p.histograms(r.Histograms)
	p.own(d.Lost, r.Cost, r.CannotTell, r.Backend)
	p.printf("\n")
}

// vmstat says whether the kernel's own count agrees, and why not where that is known.
func (p *page) vmstat(v *vmstatRecord) {
	grew := count(v.Low)
	if v.High > v.Low {
		grew += " to " + count(v.High)
	}
	verdict := "agrees"
	switch off := v.difference(); {
	case off == 0:
	case v.Explained:
		verdict = count(off) + " off, within what is lost"
	case off > 0:
		verdict = count(off) + " more: get_user_pages in threads that have taken no exception since, or (before Linux 6.4) faults tried again"
	default:
		verdict = count(-off) + " fewer: faults without an exception of earlier, found now"
	}
	p.fill(total("check", v.Seen), 11, fmt.Sprintf("seen; /proc/vmstat pgfault grew by %s: %s", grew, verdict))
}

func (p *page) faultWho(r *faultsRecord) {
	const format = "%9s%9s%8s%8s%8s"
	if len(r.By) == 0 {
		return
	}
	t := newTable(r.By, fmt.Sprintf(format, "count", "/s", "major", "total", "mean"))
	row := func(key []string, n, major, ns uint64) {
		mean := "-"
		if n > 0 {
			mean = span(ns / n)
		}
		t.add(key, fmt.Sprintf(format, tally(n, 8), rate(n, r.seconds()), tally(major, 7), span(ns), mean))
	}
	for i := range r.Who {
		g := &r.Who[i]
		row(g.cells(), g.Count, g.Major, g.TotalNs)
	}
	if rest := r.WhoRest; rest.Groups > 0 {
		row([]string{fmt.Sprintf("(%d more)", rest.Groups)}, rest.Count, rest.Major, rest.TotalNs)
	}
	p.table(t, 38)
}
