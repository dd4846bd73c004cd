package pagefault

import "strings"

// Memory is the kind of mapping that a fault was in.
type Memory uint8

// The kinds. MemoryShmem is shared anonymous memory, memfd and tmpfs files; MemorySpecial is the vdso and
// mappings of drivers.
const (
	MemoryUnknown Memory = iota
	MemoryAnon
	MemoryFile
	MemoryShmem
	MemoryHugetlb
	MemorySpecial
)

// Event is what the kernel had to do about a fault.
type Event uint8

// The events. A copy on write is a write that made a page private (or took over the last owner's); a
// write-protect fault is the first write to a clean page of shared memory; a spurious one found the
// page in place, for example because another thread was first; a failed one ended in a signal. A fixed-up one was the
// kernel's own access, in a system call, which it answered with EFAULT or by trying again elsewhere.
const (
	EventUnknown Event = iota
	EventFirstTouch
	EventCopyOnWrite
	EventWriteProtect
	EventHuge
	EventSwapIn
	EventUserfault
	EventSpurious
	EventFailed
	EventFixedUp
)

// Access is what the instruction wanted.
type Access uint8

// The accesses.
const (
	AccessUnknown Access = iota
	AccessRead
	AccessWrite
	AccessExecute
)

// A Class sorts faults. Major tells that the kernel counted it in maj_flt: it waited for a device, or
// for a userfaultfd handler (since 6.7 that is as a rule a minor one).
type Class struct {
	Memory Memory
	Event  Event
	Access Access
	Major  bool
}

var (
	memoryNames = [...]string{"unknown-memory", "anon", "file", "shmem", "hugetlb", "special"}
	eventNames  = [...]string{"unknown-event", "first-touch", "copy-on-write", "write-protect", "huge-page", "swap-in", "userfault", "spurious", "failed", "fixed-up"}
	accessNames = [...]string{"unknown-access", "read", "write", "execute"}
)

func name(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return "invalid"
}

func (m Memory) String() string { return name(memoryNames[:], uint8(m)) }
func (e Event) String() string  { return name(eventNames[:], uint8(e)) }
func (a Access) String() string { return name(accessNames[:], uint8(a)) }

// String is the class in words, for example "anon first-touch write" or "file first-touch read, major".
func (c Class) String() string {
	var b strings.Builder
	unresolved := c.Event == EventFailed || c.Event == EventFixedUp
	if !unresolved || c.Memory != MemoryUnknown { // where nothing is mapped there is no kind
		b.WriteString(c.Memory.String() + " ")
	}
	b.WriteString(c.Event.String() + " " + c.Access.String())
	if c.Major {
		b.WriteString(", major")
	}
	return b.String()
}

// decodeClass takes apart what class_of in fault.bpf.c put together.
func decodeClass(v uint32) Class {
	return Class{Memory: Memory(v >> 8), Event: Event(v >> 4 & 15), Access: Access(v >> 1 & 3), Major: v&1 != 0}
}
