package syscalls

import (
	"math/bits"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memory policies say from which nodes (banks of memory, and the processors close to them) pages come:
// mbind(2), set_mempolicy(2), get_mempolicy(2), numa(7). The modes and flags are those of package unix,
// MPOL_BIND and others. A kernel built without CONFIG_NUMA answers ENOSYS to all of it; one node is enough
// otherwise.

// nodesMax is the most nodes that a kernel can be built for, 2^CONFIG_NODES_SHIFT.
const nodesMax = 1024

// A NodeMask is a set of nodes. The zero value is the empty set.
type NodeMask [nodesMax / 64]uint64

// NodesOf returns the set of the nodes. EINVAL, a number that no node can have, below 0 or above 1023.
func NodesOf(nodes ...int) (mask NodeMask, err error) {
	for _, n := range nodes {
		if n < 0 || n >= nodesMax {
			return NodeMask{}, os.NewSyscallError("node "+strconv.Itoa(n), unix.EINVAL)
		}
		mask[n/64] |= 1 << (n % 64)
	}
	return mask, nil
}

// Has reports whether the node is in the set.
func (m *NodeMask) Has(node int) bool {
	return node >= 0 && node < nodesMax && m[node/64]>>(node%64)&1 != 0
}

// Nodes returns the nodes of the set, in order.
func (m *NodeMask) Nodes() (nodes []int) {
	for i, word := range m {
		for ; word != 0; word &= word - 1 {
			nodes = append(nodes, 64*i+bits.TrailingZeros64(word))
		}
	}
	return nodes
}

// String writes the set as /sys/devices/system/node/online does: 0-3,8. The empty set is the empty text.
func (m *NodeMask) String() string {
	var s []string
	nodes := m.Nodes()
	for i := 0; i < len(nodes); {
		j := i
		for j+1 < len(nodes) && nodes[j+1] == nodes[j]+1 {
			j++
		}
		part := strconv.Itoa(nodes[i])
		if j > i {
			part += "-" + strconv.Itoa(nodes[j])
		}
		s, i = append(s, part), j+1
	}
	return strings.Join(s, ",")
}

// forKernel returns the address of the set, nil for no set, and the number that the kernel takes for the number
// of its bits: one more than there are, by an old mistake that get_mempolicy(2) and others keep.
func (m *NodeMask) forKernel() (address unsafe.Pointer, size uintptr) {
	if m == nil {
		return nil, 0
	}
	return unsafe.Pointer(m), nodesMax + 1
}

// A MemPolicy is one of unix.MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL (3.8),
// MPOL_PREFERRED_MANY (5.15) and MPOL_WEIGHTED_INTERLEAVE (6.9), with flags: MPOL_F_STATIC_NODES,
// MPOL_F_RELATIVE_NODES (2.6.26), MPOL_F_NUMA_BALANCING (5.12).
type MemPolicy uint32

// String writes the policy by the names that linux/mempolicy.h gives it.
func (p MemPolicy) String() string {
	mode := valueName(int64(p&^unix.MPOL_MODE_FLAGS), []string{
		unix.MPOL_DEFAULT: "MPOL_DEFAULT", unix.MPOL_PREFERRED: "MPOL_PREFERRED", unix.MPOL_BIND: "MPOL_BIND",
		unix.MPOL_INTERLEAVE: "MPOL_INTERLEAVE", unix.MPOL_LOCAL: "MPOL_LOCAL", unix.MPOL_PREFERRED_MANY: "MPOL_PREFERRED_MANY",
		unix.MPOL_WEIGHTED_INTERLEAVE: "MPOL_WEIGHTED_INTERLEAVE",
	})
	if p&unix.MPOL_MODE_FLAGS == 0 {
		return mode
	}
	return mode + "|" + flagNames(uint64(p&unix.MPOL_MODE_FLAGS), []flagName{
		{unix.MPOL_F_STATIC_NODES, "MPOL_F_STATIC_NODES"}, {unix.MPOL_F_RELATIVE_NODES, "MPOL_F_RELATIVE_NODES"},
		{unix.MPOL_F_NUMA_BALANCING, "MPOL_F_NUMA_BALANCING"},
	})
}

// MemMoveFlags are those of [Mbind] and [MovePages]: unix.MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL.
type MemMoveFlags uint32

// String writes the flags by the names that linux/mempolicy.h gives them.
func (f MemMoveFlags) String() string {
	return flagNames(uint64(f), []flagName{
		{unix.MPOL_MF_STRICT, "MPOL_MF_STRICT"}, {unix.MPOL_MF_MOVE, "MPOL_MF_MOVE"}, {unix.MPOL_MF_MOVE_ALL, "MPOL_MF_MOVE_ALL"},
	})
}

// MemPolicyQuery says what [GetMempolicy] asks: unix.MPOL_F_NODE, MPOL_F_ADDR, MPOL_F_MEMS_ALLOWED.
type MemPolicyQuery uint32

// String writes the flags by the names that linux/mempolicy.h gives them.
func (f MemPolicyQuery) String() string {
	return flagNames(uint64(f), []flagName{
		{unix.MPOL_F_NODE, "MPOL_F_NODE"}, {unix.MPOL_F_ADDR, "MPOL_F_ADDR"}, {unix.MPOL_F_MEMS_ALLOWED, "MPOL_F_MEMS_ALLOWED"},
	})
}

// Mbind sets the policy of a range of memory, for pages that come from now on, and with MPOL_MF_MOVE moves
// those that are there. addr is a page's, length in bytes; nodes may be nil where the policy has none.
//
// Errors: EINVAL, a mode or flag that there is not, or nodes that there are not or may not be used; EFAULT, a
// part is not mapped; EIO, MPOL_MF_STRICT and a page is elsewhere; EPERM, MPOL_MF_MOVE_ALL takes CAP_SYS_NICE;
// ENOMEM. Since 2.6.7; mbind(2).
func Mbind(addr, length uintptr, policy MemPolicy, nodes *NodeMask, flags MemMoveFlags) error {
	mask, size := nodes.forKernel()
	_, _, errno := Syscall6(unix.SYS_MBIND, addr, length, uintptr(policy), uintptr(mask), size, uintptr(flags))
	return callError("mbind", errno)
}

// SetMempolicy sets the policy of the calling thread, which those that it starts later inherit: the goroutine
// should hold its thread (runtime.LockOSThread). Errors: EINVAL as of [Mbind]; ENOMEM. Since 2.6.7;
// set_mempolicy(2).
func SetMempolicy(policy MemPolicy, nodes *NodeMask) error {
	mask, size := nodes.forKernel()
	_, _, errno := RawSyscall6(unix.SYS_SET_MEMPOLICY, uintptr(policy), uintptr(mask), size, 0, 0, 0)
	return callError("set_mempolicy", errno)
}

// GetMempolicy returns the policy of the calling thread, or of the memory at addr with MPOL_F_ADDR; with
// MPOL_F_ADDR|MPOL_F_NODE it returns the node instead that the page at addr is on, which it brings into memory;
// with MPOL_F_MEMS_ALLOWED it only fills in nodes, with those that the thread may use. nodes is otherwise the
// policy's, and may be nil. addr is 0 without MPOL_F_ADDR.
//
// Errors: EFAULT, no memory at addr; EINVAL, flags that do not go together. Since 2.6.7; get_mempolicy(2).
func GetMempolicy(nodes *NodeMask, addr uintptr, query MemPolicyQuery) (policy MemPolicy, err error) {
	mask, size := nodes.forKernel()
	var mode int32
	_, _, errno := Syscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), uintptr(mask), size, addr,
		uintptr(query), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("get_mempolicy", errno)
	}
	return MemPolicy(mode), nil
}

// SetMempolicyHomeNode says from which node pages of a range come first, where its policy is MPOL_BIND or
// MPOL_PREFERRED_MANY. Errors: EINVAL, no such node, or part of a page; EOPNOTSUPP, memory of another policy;
// ENOENT, none of the range has a policy. Since 5.17; set_mempolicy_home_node(2).
func SetMempolicyHomeNode(addr, length uintptr, node int) error {
	_, _, errno := RawSyscall6(unix.SYS_SET_MEMPOLICY_HOME_NODE, addr, length, uintptr(node), 0, 0, 0)
	return callError("set_mempolicy_home_node", errno)
}

// MovePages moves the pages at the addresses to the nodes, of which there is one for each, and writes to status
// where each is then, or an error number, negated: -ENOENT or -EFAULT, no page is there; -EBUSY, -EACCES, it
// cannot be moved now, or is shared. With nil nodes it moves nothing and only says where they are. pid is a
// process, 0 the caller's. It returns how many pages were left where they are for one reason or another, 0 as a
// rule.
//
// Errors: EINVAL, slices of different lengths, which is found before the kernel is asked, or a flag other than
// MPOL_MF_MOVE and MPOL_MF_MOVE_ALL; EACCES, a node that may not be used; ENODEV, no such node; EPERM,
// MPOL_MF_MOVE_ALL takes CAP_SYS_NICE, and another process the right to ptrace it; ESRCH; EFAULT; E2BIG. Since
// 2.6.18; move_pages(2).
func MovePages(pid int, pages []uintptr, nodes, status []int32, flags MemMoveFlags) (left int, err error) {
	if len(status) != len(pages) || nodes != nil && len(nodes) != len(pages) {
		return 0, os.NewSyscallError("move_pages", unix.EINVAL)
	}
	r, _, errno := Syscall6(unix.SYS_MOVE_PAGES, uintptr(pid), uintptr(len(pages)),
		uintptr(unsafe.Pointer(unsafe.SliceData(pages))), uintptr(unsafe.Pointer(unsafe.SliceData(nodes))),
		uintptr(unsafe.Pointer(unsafe.SliceData(status))), uintptr(flags))
	if errno != 0 {
		return 0, os.NewSyscallError("move_pages", errno)
	}
	return int(r), nil
}

// MigratePages moves all pages of a process that are on one of the nodes from, to the nodes to. pid is 0 for
// the caller's. It returns how many it could not move. Errors: EINVAL, none of the nodes to may be used; EPERM,
// also the nodes to are not the process's own without CAP_SYS_NICE; ESRCH; EFAULT. Since 2.6.16;
// migrate_pages(2).
func MigratePages(pid int, from, to *NodeMask) (left int, err error) {
	source, size := from.forKernel()
	target, _ := to.forKernel()
	r, _, errno := Syscall6(unix.SYS_MIGRATE_PAGES, uintptr(pid), size, uintptr(source), uintptr(target), 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("migrate_pages", errno)
	}
	return int(r), nil
}
