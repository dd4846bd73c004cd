package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ring3-go/ring3/mmu"
)

// address is the way from an address to a frame.
func (p *page) address(pid int, r *pageRecord, again bool) {
	if again {
		p.printf("\n%s\n", p.out.bold(time.Now().Format(time.TimeOnly)))
	}
	p.printf("%s in process %d (%s)\n", p.out.bold("address "+r.Address), pid, commOf(pid))
	if !r.Canonical {
		p.fill("  ", 2, "Not canonical: the processor refuses it before it looks in any table.")
	}
	p.levels(r)
	if r.Region == nil {
		p.field("region", "none: an access ends in SIGSEGV")
		return
	}
	v := r.Region
	name := v.Name
	if name == "" {
		name = v.Kind
	}
	p.field("region", fmt.Sprintf("%s-%s %s %s, %s, %s resident", v.Start, v.End, v.Perms, name, bytesText(v.SizeBytes), bytesText(v.ResidentBytes)))
	if len(v.Flags) > 0 {
		meanings := []string{}
		for _, f := range v.Flags {
			if m := mmu.FlagMeaning(f); m != "" {
				f = m
			}
			meanings = append(meanings, f)
		}
		p.field("", strings.Join(meanings, "; "))
	}
	p.field("page", p.state(r))
	if r.State == "present" {
		p.frameLines(r)
	}
}

// levels is a line for each table.
func (p *page) levels(r *pageRecord) {
	const row = "  %-7s%-5s%7s%9s%12s\n"
	p.printf("%s", p.out.bold(fmt.Sprintf(row, "table", "", "index", "bits", "an entry")))
	high := 0
	if len(r.Levels) > 0 {
		top := r.Levels[0]
		for high = top.LowBit; 1<<(high-top.LowBit) < top.Entries; high++ {
		}
	}
	for i, l := range r.Levels {
		text := bytesText(l.CoversBytes)
		if i == len(r.Levels)-1 && r.Huge != nil && *r.Huge {
			text = "no table" // an entry above maps a huge page
		}
		p.printf(row, l.Name, l.Linux, count(l.Index), fmt.Sprintf("%d-%d", high-1, l.LowBit), text)
		high = l.LowBit
	}
	p.printf(row, "offset", "", hexText(r.OffsetBytes), fmt.Sprintf("%d-0", high-1), "of "+bytesText(r.PageBytes))
}

func (p *page) field(name, text string) { p.fill(fmt.Sprintf("  %-8s", name), 10, text) }

func (p *page) state(r *pageRecord) string {
	switch r.State {
	case "empty":
		return "not there: never touched, given back, or in a file only"
	case "guard":
		return "guard: an access ends in SIGSEGV"
	case "swapped":
		return "swapped out to " + *r.Swap + " (area:offset)"
	}
	text := "present"
	for _, f := range []struct {
		on   bool
		text string
	}{
		{r.File, "of a file or shared"}, {r.Exclusive, "mapped by nobody else"},
		{r.SoftDirty, "written to since marks were cleared"}, {r.WriteProtected, "write-protected by userfaultfd"},
	} {
		if f.on {
			text += "; " + f.text
		}
	}
	return text
}

func (p *page) frameLines(r *pageRecord) {
	if r.Physical == nil {
		p.field("frame", "hidden: the kernel shows it to CAP_SYS_ADMIN")
	} else {
		text := *r.Frame + ", physical address " + *r.Physical
		if r.MapCount != nil {
			text += ", mapped once"
			if n := *r.MapCount; n != 1 {
				text = strings.TrimSuffix(text, "once") + count(n) + " times"
			}
		}
		p.field("frame", text)
	}
	if len(r.FrameFlags) > 0 {
		p.field("flags", strings.Join(r.FrameFlags, " "))
	}
	if r.Node != nil {
		p.field("node", fmt.Sprint(*r.Node))
	}
}
