package main

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ring3-go/ring3/mmu"
)

// addressSpace is the whole picture: sums by kind, then regions.
func (p *page) addressSpace(o vmOptions, vmas []mmu.VMA) {
	var all mmu.Detail
	for i := range vmas {
		all.Add(detail(&vmas[i]))
	}
	p.fill(p.out.bold(fmt.Sprintf("process %d (%s): ", o.pid, commOf(o.pid))), 2,
		fmt.Sprintf("%s regions, %s mapped, %s resident; its share of that is %s", count(len(vmas)), bytesText(all.Size),
			bytesText(all.Rss+all.SharedHugetlb+all.PrivateHugetlb), bytesText(all.Pss)))
	p.kinds(vmas)
	p.regions(o, vmas)
}

const kindRow = "  %-10s%8s%10s%10s%10s%10s%10s%10s\n"

// kinds sums regions up.
func (p *page) kinds(vmas []mmu.VMA) {
	type sum struct {
		kind    mmu.Kind
		regions int
		mmu.Detail
	}
	var sums []sum
	all := sum{kind: "all"}
	for i := range vmas {
		kind := vmas[i].Kind()
		at := slices.IndexFunc(sums, func(s sum) bool { return s.kind == kind })
		if at < 0 {
			at = len(sums)
			sums = append(sums, sum{kind: kind})
		}
		for _, s := range []*sum{&sums[at], &all} {
			s.regions++
			s.Add(detail(&vmas[i]))
		}
	}
	huge := func(s sum) uint64 { return s.SharedHugetlb + s.PrivateHugetlb }
	slices.SortStableFunc(sums, func(a, b sum) int { return cmp.Compare(b.Rss+huge(b), a.Rss+huge(a)) })
	p.printf("\n%s", p.out.bold(fmt.Sprintf(kindRow, "kind", "regions", "size", "resident", "shared", "dirty", "huge", "swapped")))
	for _, s := range append(sums, all) {
		p.printf(kindRow, s.kind, count(s.regions), amount(s.Size), amount(s.Rss+huge(s)), amount(s.Shared()+s.SharedHugetlb),
			amount(s.Dirty()), amount(s.HugeBytes()), amount(s.Swap))
	}
}

// amount is a size, or a dash for nothing, so that what there is stands out.
func amount(n uint64) string {
	if n == 0 {
		return "-"
	}
	return bytesText(n)
}

const (
	regionRow  = "%16s%9s%10s %-12s %s %s\n"
	pictureLen = 12
	nameLen    = columns - 16 - 9 - 10 - 1 - pictureLen - 1 - 4 - 1
)

// regions is a line for each.
func (p *page) regions(o vmOptions, vmas []mmu.VMA) {
	p.printf("\n%s", p.out.bold(fmt.Sprintf(regionRow, "from", "size", "resident", "in memory", "mode", "what")))
	sorted := sortVMAs(vmas, o.sort)
	shown := len(sorted)
	if o.top > 0 {
		shown = min(shown, o.top)
	}
	for i := range sorted[:shown] {
		v := &sorted[i]
		p.printf(regionRow, fmt.Sprintf("%x", v.Start), bytesText(v.Size()), amount(resident(v)), picture(v), v.Perms, shorten(what(v), nameLen))
	}
	if rest := sorted[shown:]; len(rest) > 0 {
		var size, in uint64
		for i := range rest {
			size += rest[i].Size()
			in += resident(&rest[i])
		}
		p.printf(regionRow, fmt.Sprintf("(%s more)", count(len(rest))), bytesText(size), amount(in), "", "", "--top 0 shows them")
	}
	p.printf("\n")
	p.fill("", 2, "In memory: # private, = shared, ~ swapped out, . not there. Dirty is written to and in no file yet.")
}

// picture draws how much of a region is where. What there is gets a character at least.
func picture(v *mmu.VMA) string {
	d := detail(v)
	parts := []struct {
		n uint64
		c string
	}{{d.Private() + d.PrivateHugetlb, "#"}, {d.Shared() + d.SharedHugetlb, "="}, {d.Swap, "~"}}
	out := ""
	for _, part := range parts {
		if part.n == 0 || v.Size() == 0 {
			continue
		}
		chars := int(float64(part.n)/float64(v.Size())*pictureLen + 0.5)
		out += strings.Repeat(part.c, max(1, chars))
	}
	out = out[:min(len(out), pictureLen)]
	return out + strings.Repeat(".", pictureLen-len(out))
}

// what names a region: the end of a path says most.
func what(v *mmu.VMA) string {
	name := clean(v.Path)
	switch {
	case strings.HasPrefix(name, "/"):
		name = path.Base(name)
	case name == "":
		name = string(v.Kind())
	}
	if h := v.Huge(); h.Kind != "" {
		name += " +" + h.Kind
	}
	if detail(v).Locked > 0 {
		name += " +locked"
	}
	return name
}

// vmChanges is a line for each region that changed.
func (p *page) vmChanges(at time.Time, changes []vmaChange, before, after []mmu.VMA) {
	total := func(vmas []mmu.VMA) (size, in uint64) {
		for i := range vmas {
			size += vmas[i].Size()
			in += resident(&vmas[i])
		}
		return size, in
	}
	size, in := total(after)
	oldSize, oldIn := total(before)
	p.printf("%s  mapped %s, resident %s\n", p.out.bold(at.Local().Format(time.TimeOnly)), moved(oldSize, size), moved(oldIn, in))
	for _, c := range changes {
		v := c.vma
		text := ""
		switch c.change {
		case "added":
			text = bytesText(v.Size()) + ", resident " + bytesText(resident(v))
		case "removed":
			text = bytesText(v.Size())
		default:
			text = changedText(c.before, v)
		}
		mark := map[string]string{"added": "+", "removed": "-", "changed": " "}[c.change]
		p.fill(fmt.Sprintf("%s %16x %s %s: ", mark, v.Start, v.Perms, shorten(what(v), 24)), 8, text)
	}
}

// changedText names what differs.
func changedText(a, b *mmu.VMA) string {
	d, e := detail(a), detail(b)
	var parts []string
	for _, f := range []struct {
		name     string
		from, to uint64
	}{
		{"size", a.Size(), b.Size()}, {"resident", resident(a), resident(b)}, {"dirty", d.Dirty(), e.Dirty()}, {"swapped", d.Swap, e.Swap},
		{"huge", d.HugeBytes(), e.HugeBytes()}, {"locked", d.Locked, e.Locked},
	} {
		if f.from != f.to {
			parts = append(parts, f.name+" "+moved(f.from, f.to))
		}
	}
	if a.Perms != b.Perms {
		parts = append(parts, fmt.Sprintf("was %v", a.Perms))
	}
	if len(parts) == 0 {
		parts = append(parts, "copied from the file "+moved(d.Anonymous, e.Anonymous))
	}
	return strings.Join(parts, ", ")
}

// moved is a size, and by how much it grew or shrank.
func moved(from, to uint64) string {
	switch {
	case to > from:
		return fmt.Sprintf("%s (+%s)", bytesText(to), bytesText(to-from))
	case to < from:
		return fmt.Sprintf("%s (-%s)", bytesText(to), bytesText(from-to))
	}
	return bytesText(to)
}
