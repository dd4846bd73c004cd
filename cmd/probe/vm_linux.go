package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/mmu"
)

// showVM prints an address space or a page of one, once or as often as it changes.
func showVM(out *output, o vmOptions) error {
	v := &vmView{out: out, o: o}
	if !o.watch {
		return v.report()
	}
	return observe(out, o.observe, func() (watch, error) { return v, v.begin() })
}

// A vmView shows one process, and remembers what it showed.
type vmView struct {
	out *output
	o   vmOptions

	began bool
	vmas  []mmu.VMA
	page  *pageRecord
}

func (v *vmView) close() {}

// begin shows all that there is, which is what later reports compare with.
func (v *vmView) begin() error { return v.report() }

func (v *vmView) report() error {
	again := v.began
	v.began = true
	err := v.reportPage(again)
	if !v.o.one {
		err = v.reportRegions(again)
	}
	if again && vanished(err) {
		return nil // the watch is told by other means
	}
	return err
}

// vanished reports whether err says that the process is not there any more.
func vanished(err error) bool {
	return errors.Is(err, mmu.ErrEnded) || errors.Is(err, mmu.ErrNoAddressSpace) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

func (v *vmView) reportRegions(again bool) error {
	vmas, err := mmu.Maps(v.o.pid)
	if errors.Is(err, mmu.ErrChanged) {
		fmt.Fprintf(v.out.talk, "probe: %v\n", err)
		err = nil
	}
	if err != nil && (len(vmas) == 0 || again) {
		return explainVM(v.o.pid, err)
	}
	now := time.Now()
	var changes []vmaChange
	if again {
		changes = compareVMAs(v.vmas, vmas)
	} else {
		for i := range vmas {
			changes = append(changes, vmaChange{vma: &vmas[i]})
		}
	}
	before := v.vmas
	v.vmas = vmas
	if v.out.json {
		for _, c := range changes {
			if werr := v.out.record(newVMARecord(v.o.pid, now, c)); werr != nil {
				return werr
			}
		}
		return err
	}
	var text bytes.Buffer
	p := &page{w: &text, out: v.out}
	if again {
		p.vmChanges(now, changes, before, vmas)
	} else {
		p.addressSpace(v.o, vmas)
	}
	if p.err != nil {
		return p.err
	}
	if _, werr := v.out.data.Write(text.Bytes()); werr != nil {
		return werr
	}
	return err
}

// reportPage shows the page of the address, unless nothing has changed.
func (v *vmView) reportPage(again bool) error {
	if !v.o.one {
		return nil
	}
	r, err := newPageRecord(v.o.pid, v.o.address)
	if err != nil {
		return explainVM(v.o.pid, err)
	}
	if again && r.sameAs(v.page) {
		return nil
	}
	v.page = r
	if v.out.json {
		return v.out.record(r)
	}
	var text bytes.Buffer
	p := &page{w: &text, out: v.out}
	p.address(v.o.pid, r, again)
	if p.err != nil {
		return p.err
	}
	_, err = v.out.data.Write(text.Bytes())
	return err
}

// explainVM says what would help where the process is not to be looked at.
func explainVM(pid int, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("process %d: %w: to see it be its user, or have CAP_SYS_PTRACE", pid, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no process %d: %w", pid, err)
	}
	return fmt.Errorf("process %d: %w", pid, err)
}

// commOf is the name of a process, or "?".
func commOf(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return "?"
	}
	return clean(strings.TrimSuffix(string(b), "\n"))
}

// sortVMAs puts regions in the order that was asked for.
func sortVMAs(vmas []mmu.VMA, order string) []mmu.VMA {
	key := map[string]func(*mmu.VMA) uint64{
		"resident": resident,
		"size":     (*mmu.VMA).Size,
		"dirty":    func(v *mmu.VMA) uint64 { return detail(v).Dirty() },
		"swapped":  func(v *mmu.VMA) uint64 { return detail(v).Swap },
	}[order]
	sorted := slices.Clone(vmas)
	if key != nil {
		slices.SortStableFunc(sorted, func(a, b mmu.VMA) int { return cmp.Compare(key(&b), key(&a)) })
	}
	return sorted
}

// detail is never nil.
func detail(v *mmu.VMA) *mmu.Detail {
	if v.Detail == nil {
		return &mmu.Detail{}
	}
	return v.Detail
}

// resident is all that is in memory; the kernel does not count pages of hugetlb as that.
func resident(v *mmu.VMA) uint64 {
	d := detail(v)
	return d.Rss + d.SharedHugetlb + d.PrivateHugetlb
}

// A vmaChange is a region, and what happened to it since the last report.
type vmaChange struct {
	vma    *mmu.VMA
	before *mmu.VMA // where it was there
	change string   // "", "added", "removed" or "changed"
}

// compareVMAs finds what differs. A region is the same where it begins at the same address and is of the
// same thing.
func compareVMAs(before, after []mmu.VMA) (changes []vmaChange) {
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case j == len(after) || i < len(before) && before[i].Start < after[j].Start:
			changes = append(changes, vmaChange{vma: &before[i], change: "removed"})
			i++
		case i == len(before) || after[j].Start < before[i].Start:
			changes = append(changes, vmaChange{vma: &after[j], change: "added"})
			j++
		default:
			a, b := &before[i], &after[j]
			switch {
			case a.Path != b.Path || a.Inode != b.Inode || a.Offset != b.Offset:
				changes = append(changes, vmaChange{vma: a, change: "removed"}, vmaChange{vma: b, change: "added"})
			case differ(a, b):
				changes = append(changes, vmaChange{vma: b, before: a, change: "changed"})
			}
			i, j = i+1, j+1
		}
	}
	return changes
}

// differ looks at what a report shows: not at shares, which other processes change, nor at what was accessed.
func differ(a, b *mmu.VMA) bool {
	d, e := detail(a), detail(b)
	return a.End != b.End || a.Perms != b.Perms || resident(a) != resident(b) || d.Dirty() != e.Dirty() ||
		d.Swap != e.Swap || d.HugeBytes() != e.HugeBytes() || d.Locked != e.Locked || d.Anonymous != e.Anonymous
}
