package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ring3-go/ring3/internal/bpf"
)

const columns = 80 // no line is wider

// header is the first line of a report: when, how long, of what, by what.
func (p *page) header(r *intervalRecord, opts observeOptions) {
	at, err := time.Parse(time.RFC3339Nano, r.Time)
	if err != nil {
		p.err = err
		return
	}
	scope := clean(opts.target.String())
	if r.Scope.Follow != nil && *r.Scope.Follow {
		scope += " and what it starts"
	}
	p.printf("%s  %s, %s, by %s\n", p.out.bold(at.Local().Format(time.TimeOnly)), shorten(scope, 36),
		nanoseconds(r.IntervalNs), r.Backend)
}

// fill prints text after a lead, wrapped at the right margin; the lines that follow are indented.
func (p *page) fill(lead string, indent int, text string) {
	line := lead
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case width(line)+1+width(word) > columns:
			p.printf("%s\n", line)
			line = strings.Repeat(" ", indent) + word
		default:
			line += " " + word
		}
	}
	p.printf("%s\n", line)
}

// total is how a line of the summary begins.
func total(what string, n uint64) string {
	return fmt.Sprintf("  %-8s %9s ", what, count(n))
}

// own says what the observer lost and took.
func (p *page) own(lost bpf.Loss, cost costRecord, cannotTell []string, backend string) {
	if backend != "procfs" {
		p.printf("\n")
		p.fill("", 2, fmt.Sprintf("Quantiles are at most 12.5%% high. Lost: %s; %s.", lost, cost))
	}
	if len(cannotTell) > 0 {
		p.fill("", 2, fmt.Sprintf("%s cannot tell: %s.", backend, strings.Join(cannotTell, "; ")))
	}
}

// table is rows of cells in columns, with numbers to the right of them.
type table struct {
	keys    [][]string // the title's first
	numbers []string
}

func newTable(title []string, numbers string) *table {
	return &table{[][]string{title}, []string{numbers}}
}

func (t *table) add(key []string, numbers string) {
	key[0] = "  " + key[0] // below its title, which stands out
	t.keys = append(t.keys, key)
	t.numbers = append(t.numbers, numbers)
}

// table prints a table unless it has no rows; keys get n columns.
func (p *page) table(t *table, n int) {
	if len(t.keys) < 2 {
		return
	}
	p.printf("\n")
	for i, key := range align(t.keys, n) {
		line := key + t.numbers[i]
		if i == 0 {
			line = p.out.bold(line)
		}
		p.printf("%s\n", line)
	}
}

// align puts cells under one another, two columns apart, in n columns altogether; the widest give way. A
// row of one cell, in a table of more, has the whole width.
func align(rows [][]string, n int) []string {
	widths := make([]int, len(rows[0]))
	total := 2 * (len(widths) - 1)
	for _, row := range rows {
		for i, cell := range row {
			if len(row) == len(widths) && width(cell) > widths[i] {
				total += width(cell) - widths[i]
				widths[i] = width(cell)
			}
		}
	}
	for ; total > n; total-- {
		widest := 0
		for i := range widths {
			if widths[i] >= widths[widest] {
				widest = i
			}
		}
		widths[widest]--
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		var line strings.Builder
		for j, cell := range row {
			if len(row) == len(widths) {
				cell = fit(cell, widths[j])
			}
			if j > 0 {
				line.WriteString("  ")
			}
			line.WriteString(cell)
		}
		out[i] = fit(line.String(), n)
	}
	return out
}

// fit cuts or pads s to n columns.
func fit(s string, n int) string {
	s = shorten(s, n)
	return s + strings.Repeat(" ", n-width(s))
}

// shorten cuts s to n columns, where cut cuts it to n characters.
func shorten(s string, n int) string {
	if width(s) <= n {
		return s
	}
	r := []rune(s)
	for width(string(r)) > n-1 {
		r = r[:len(r)-1]
	}
	return string(r) + "~"
}

// width is how many columns s takes at most: whatever lies beyond the alphabets of Europe and the Near East
// is taken for wide.
func width(s string) (n int) {
	for _, r := range s {
		n++
		if r >= 0x1100 { // Hangul Jamo
			n++
		}
	}
	return n
}

// rate is n a second in 8 columns or fewer, with a decimal where it is small.
func rate(n uint64, seconds float64) string {
	perSecond := float64(n) / seconds
	switch {
	case seconds <= 0:
		return "-"
	case n > 0 && perSecond < 9.95:
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return tally(uint64(perSecond+0.5), 8)
}

// span is nanoseconds, or a dash for none.
func span(ns uint64) string {
	if ns == 0 {
		return "-"
	}
	return nanoseconds(ns)
}

// histograms draws distributions.
func (p *page) histograms(hs []histogramRecord) {
	for _, h := range hs {
		if h.hist.Count == 0 || p.err != nil {
			continue
		}
		p.printf("\n%s\n", p.out.bold(h.Name))
		unit, scale := "usecs", uint64(1000)
		if h.hist.Quantile(0.5) < 10_000 {
			unit, scale = "nsecs", 1
		}
		if err := h.hist.Render(p.w, unit, scale); err != nil {
			p.err = err
		}
	}
}
