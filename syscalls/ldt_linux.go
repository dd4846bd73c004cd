package syscalls

import "structs"

// LDT_ENTRIES is how many segments the local descriptor table of an x86 process has room for.
const LDT_ENTRIES = 8192

// UserDesc describes a segment of an x86 process: struct user_desc.
type UserDesc struct {
	_     structs.HostLayout
	Entry uint32       // number in the table, 0 to 8191; the selector is Entry<<3 | 7
	Base  uint32       // linear address
	Limit uint32       // the last offset, 20 bits: in bytes, or in pages with SegmentPages
	Flags SegmentFlags // what it is for
}

// SegmentFlags are the bit fields of a [UserDesc].
type SegmentFlags uint32

// Flags of a [UserDesc], in the order of the bit fields of <asm/ldt.h>. Without SegmentStack or SegmentCode it is data
// that grows up.
const (
	Segment32Bit      SegmentFlags = 1 << 0 // 32-bit code or stack, else 16
	SegmentStack      SegmentFlags = 1 << 1 // data that grows down (contents 1)
	SegmentCode       SegmentFlags = 1 << 2 // code (contents 2)
	SegmentReadOnly   SegmentFlags = 1 << 3 // data without writing, or code without reading
	SegmentPages      SegmentFlags = 1 << 4 // the limit counts pages of 4 KiB
	SegmentNotPresent SegmentFlags = 1 << 5 // who loads it gets a fault
	SegmentAvailable  SegmentFlags = 1 << 6 // the bit that is the program's own (useable)
	SegmentLong       SegmentFlags = 1 << 7 // 64-bit code: the kernel refuses it in a table
)

// String names the flags as <asm/ldt.h> does.
func (f SegmentFlags) String() string {
	return flagNames(uint64(f), []flagName{
		{1, "seg_32bit"}, {2, "contents=stack"}, {4, "contents=code"}, {8, "read_exec_only"}, {16, "limit_in_pages"},
		{32, "seg_not_present"}, {64, "useable"}, {128, "lm"},
	})
}

// A SegmentDescriptor is an entry of a descriptor table as the processor reads it (Intel SDM volume 3, 3.4.5).
type SegmentDescriptor uint64

// Base returns the segment's linear address.
func (d SegmentDescriptor) Base() uint32 { return uint32(d>>16&0xffffff | d>>56<<24) }

// Limit returns the segment's last offset as it stands there: 20 bits, of bytes or pages.
func (d SegmentDescriptor) Limit() uint32 { return uint32(d&0xffff | d>>48&0xf<<16) }

// Present reports whether the processor may use it.
func (d SegmentDescriptor) Present() bool { return d>>47&1 != 0 }

// DPL returns the privilege level that a program needs: 3, in any that a process may have.
func (d SegmentDescriptor) DPL() int { return int(d >> 45 & 3) }

// Flags returns what it was made with. Access and size are those of the descriptor.
func (d SegmentDescriptor) Flags() (f SegmentFlags) {
	set := func(bit uint, flag SegmentFlags) {
		if d>>bit&1 != 0 {
			f |= flag
		}
	}
	set(42, SegmentStack) // expand-down, of data
	if d>>43&1 != 0 {     // executable; bit 42 means "conforming" there
		f = f&^SegmentStack | SegmentCode
	}
	if d>>41&1 == 0 {
		f |= SegmentReadOnly
	}
	if !d.Present() {
		f |= SegmentNotPresent
	}
	set(54, Segment32Bit)
	set(55, SegmentPages)
	set(52, SegmentAvailable)
	set(53, SegmentLong)
	return f
}
