package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ring3-go/ring3/mmu"
)

// vmaRecord is ring3/vma/v1; docs/json/vma.schema.json says what each field means.
type vmaRecord struct {
	Schema string `json:"schema"`
	Time   string `json:"time"`
	PID    int    `json:"pid"`
	Change string `json:"change,omitempty"`
	regionRecord
}

// regionRecord is a region by itself.
type regionRecord struct {
	Start           string      `json:"start"`
	End             string      `json:"end"`
	Perms           string      `json:"perms"`
	Kind            string      `json:"kind"`
	Name            string      `json:"name"`
	OffsetBytes     uint64      `json:"offset_bytes"`
	Device          string      `json:"device"`
	Inode           uint64      `json:"inode"`
	SizeBytes       uint64      `json:"size_bytes"`
	ResidentBytes   uint64      `json:"resident_bytes"`
	ShareBytes      uint64      `json:"share_bytes"`
	SharedBytes     uint64      `json:"shared_bytes"`
	PrivateBytes    uint64      `json:"private_bytes"`
	DirtyBytes      uint64      `json:"dirty_bytes"`
	AnonymousBytes  uint64      `json:"anonymous_bytes"`
	ReferencedBytes uint64      `json:"referenced_bytes"`
	SwappedBytes    uint64      `json:"swapped_bytes"`
	LockedBytes     uint64      `json:"locked_bytes"`
	Huge            *hugeRecord `json:"huge"`
	THPEligible     bool        `json:"thp_eligible"`
	ProtectionKey   int         `json:"protection_key"`
	Flags           []string    `json:"flags"`
}

type hugeRecord struct {
	Kind      string `json:"kind"`
	PageBytes uint64 `json:"page_bytes"`
	Bytes     uint64 `json:"bytes"`
}

func newVMARecord(pid int, at time.Time, c vmaChange) *vmaRecord {
	return &vmaRecord{
		Schema: "ring3/vma/v1", Time: at.UTC().Format(time.RFC3339Nano), PID: pid, Change: c.change,
		regionRecord: newRegionRecord(c.vma),
	}
}

func newRegionRecord(v *mmu.VMA) regionRecord {
	d := detail(v)
	r := regionRecord{
		Start: hexText(uint64(v.Start)), End: hexText(uint64(v.End)), Perms: v.Perms.String(), Kind: string(v.Kind()), Name: clean(v.Path),
		OffsetBytes: v.Offset, Device: fmt.Sprintf("%d:%d", v.Major, v.Minor), Inode: v.Inode,
		SizeBytes: v.Size(), ResidentBytes: resident(v), ShareBytes: d.Pss,
		SharedBytes: d.Shared() + d.SharedHugetlb, PrivateBytes: d.Private() + d.PrivateHugetlb,
		DirtyBytes: d.Dirty(), AnonymousBytes: d.Anonymous, ReferencedBytes: d.Referenced, SwappedBytes: d.Swap, LockedBytes: d.Locked,
		THPEligible: d.THPEligible, ProtectionKey: d.ProtectionKey, Flags: append([]string{}, d.Flags...),
	}
	if h := v.Huge(); h.Kind != "" {
		r.Huge = &hugeRecord{h.Kind, h.PageSize, h.Bytes}
	}
	return r
}

func hexText(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }

// pageRecord is ring3/page/v1; docs/json/page.schema.json says what each field means.
type pageRecord struct {
	Schema         string        `json:"schema"`
	Time           string        `json:"time"`
	PID            int           `json:"pid"`
	Address        string        `json:"address"`
	Canonical      bool          `json:"canonical"`
	Arch           string        `json:"arch"`
	Levels         []levelRecord `json:"levels"`
	OffsetBytes    uint64        `json:"offset_bytes"`
	PageBytes      uint64        `json:"page_bytes"`
	Region         *regionRecord `json:"region"`
	State          string        `json:"state"`
	Frame          *string       `json:"frame"`
	Physical       *string       `json:"physical"`
	Swap           *string       `json:"swap"`
	File           bool          `json:"file"`
	Exclusive      bool          `json:"exclusive"`
	SoftDirty      bool          `json:"soft_dirty"`
	WriteProtected bool          `json:"write_protected"`
	Huge           *bool         `json:"huge"`
	FrameFlags     []string      `json:"frame_flags"`
	MapCount       *uint64       `json:"map_count"`
	Node           *int          `json:"node"`
}

// levelRecord is one table on the way.
type levelRecord struct {
	Name        string `json:"name"`
	Linux       string `json:"linux"`
	Index       int    `json:"index"`
	Entries     int    `json:"entries"`
	LowBit      int    `json:"low_bit"`
	CoversBytes uint64 `json:"covers_bytes"`
}

// sameAs reports whether nothing but the time differs.
func (r *pageRecord) sameAs(old *pageRecord) bool {
	region := func(r *pageRecord) string {
		if r.Region == nil {
			return ""
		}
		return r.Region.Start + r.Region.End + r.Region.Perms + r.Region.Name
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return r.State == old.State && text(r.Frame) == text(old.Frame) && text(r.Swap) == text(old.Swap) && region(r) == region(old) &&
		r.File == old.File && r.Exclusive == old.Exclusive && r.SoftDirty == old.SoftDirty && r.WriteProtected == old.WriteProtected
}

// newPageRecord follows an address. What the kernel does not tell stays null.
func newPageRecord(pid int, address uint64) (*pageRecord, error) {
	g, err := mmu.HostGeometry()
	if err != nil {
		return nil, err
	}
	m, err := mmu.OpenPagemap(pid)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	vmas, err := mmu.Maps(pid)
	if err != nil && !errors.Is(err, mmu.ErrChanged) {
		return nil, err
	}
	pg, err := m.Translate(uintptr(address))
	if err != nil {
		return nil, err
	}
	r := &pageRecord{
		Schema: "ring3/page/v1", Time: time.Now().UTC().Format(time.RFC3339Nano), PID: pid, Address: hexText(address),
		Canonical: g.Canonical(address), Arch: g.Arch, PageBytes: g.PageSize(), State: "empty",
		File: pg.File, Exclusive: pg.Exclusive, SoftDirty: pg.SoftDirty, WriteProtected: pg.WriteProtected,
	}
	indices, offset := g.Split(address)
	r.OffsetBytes = offset
	for i, l := range g.Levels {
		r.Levels = append(r.Levels, levelRecord{l.Name, l.Linux, indices[i], l.Entries(), l.Shift, l.Covers()})
	}
	v := mmu.Find(vmas, uintptr(address))
	if v != nil {
		region := newRegionRecord(v)
		r.Region = &region
	}
	switch {
	case v == nil:
		r.State = "unmapped"
	case pg.Guard:
		r.State = "guard"
	case pg.Swapped:
		r.State, r.Swap = "swapped", new(pg.Swap.String())
	case pg.Present:
		r.State = "present"
		r.present(pid, m, pg, v, offset)
	}
	return r, nil
}

// present adds what is known of a page in memory.
func (r *pageRecord) present(pid int, m *mmu.Pagemap, pg mmu.Page, v *mmu.VMA, offset uint64) {
	r.Frame = new(pg.Frame.String())
	if n, known := pg.Frame.Number(); known {
		r.Physical = new(hexText(n*r.PageBytes + offset))
		r.frame(pg.Frame)
	}
	if node, err := mmu.Node(pid, pg.Addr); err == nil {
		r.Node = &node
	}
	if h := v.Huge(); h.Kind == "hugetlb" {
		r.Huge = new(true)
		return
	}
	scan := mmu.ScanOptions{Start: pg.Addr, End: pg.Addr + uintptr(r.PageBytes), Return: mmu.CategoryHuge | mmu.CategoryPresent}
	for region, err := range m.Scan(scan) {
		if err == nil {
			r.Huge = new(region.Categories&mmu.CategoryHuge != 0)
		}
	}
}

// frame adds what the kernel says of the frame, where it may be asked.
func (r *pageRecord) frame(f mmu.Frame) {
	frames, err := mmu.OpenFrames()
	if err != nil {
		return
	}
	defer frames.Close()
	if flags, err := frames.Flags(f); err == nil {
		r.FrameFlags = flags.Names()
	}
	if n, err := frames.MapCount(f); err == nil {
		r.MapCount = &n
	}
}
