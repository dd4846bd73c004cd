/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What kind of memory stands at an address.
 *
 * bpf_find_vma takes mmap_lock and releases it from an irq_work, which is microseconds where an
 * interrupt leaves the virtual machine. We run in the task that faults, so we walk its maple tree
 * ourselves, without a lock, as lockless readers in the kernel do: nodes are freed by RCU, and what we
 * find is believed only if it covers the address.
 */
#ifndef RING3_VMA_H
#define RING3_VMA_H

#include "kernel.h"

enum memory {
	MEMORY_UNKNOWN,
	MEMORY_ANON,
	MEMORY_FILE,
	MEMORY_SHMEM,
	MEMORY_HUGETLB,
	MEMORY_SPECIAL, /* vdso and driver mappings: neither anonymous nor a file's pages */
};

#define VM_SHARED 0x00000008 /* include/linux/mm.h */
#define VM_HUGETLB 0x00400000
#define VM_UFFD_MISSING 0x00000200
#define VM_UFFD_WP 0x00001000
#define TMPFS_MAGIC 0x01021994 /* uapi/linux/magic.h; shared anonymous memory and memfd too */

enum { VMA_UFFD_MISSING = 1, VMA_UFFD_WP = 2 };

struct vma {
	u64 start, end; /* end 0: not known */
	u64 file; /* struct file *, or 0 */
	u8 memory; /* enum memory */
	u8 shared;
	u8 userfault; /* VMA_UFFD_: registered with userfaultfd */
};

/*
 * include/linux/maple_tree.h: node layout on 64 bits, the same since 6.1. A tree of mappings has
 * leaves, and above them nodes that know their largest gap (MT_FLAGS_ALLOC_RANGE).
 */
#define MAPLE_DEPTH_MAX 8
#define MAPLE_LEAF_PIVOTS 15
#define MAPLE_ARANGE_PIVOTS 9
#define MAPLE_PIVOTS_OFFSET 8
#define MAPLE_TYPE(node) (((node) >> 3) & 0xf)
#define MAPLE_ADDRESS(node) ((node) & ~0xffULL)
#define MAPLE_LEAF_64 1
#define MAPLE_ARANGE_64 3

/* Returns the slot for addr: a child node or, from a leaf, a struct vm_area_struct *. */
static __always_inline u64 maple_descend(u64 node, u64 addr, const int nr_pivots)
{
	u64 pivots[MAPLE_LEAF_PIVOTS];
	u64 base = MAPLE_ADDRESS(node) + MAPLE_PIVOTS_OFFSET;
	u64 below = 1, i = 0, slot = 0;

	if (bpf_probe_read_kernel(pivots, nr_pivots * 8, (void *)base))
		return 0;
	/*
	 * The first pivot that is not below addr. The borrow of a subtraction tells, since both are below 2^63
	 * but for the pivot at the end of all, which the mask keeps highest: a branch for each pivot would be a
	 * path for each, and the verifier walks them all at every depth.
	 */
#pragma unroll
	for (int k = 0; k < nr_pivots; k++) {
		below &= ((pivots[k] & ~(1ULL << 63)) - addr) >> 63;
		i += below;
	}
	bpf_probe_read_kernel(&slot, sizeof(slot), (void *)(base + (nr_pivots + i) * 8)); /* slots follow */
	return slot;
}

static __always_inline u64 maple_find(struct mm_struct *mm, u64 addr)
{
	u64 entry = 0;

	read_kernel(entry, &mm->mm_mt.ma_root); /* a number: the low bits of a node's address are its type */
	if ((entry & 3) != 2 || entry <= 4096) /* xa_is_node(): only the root carries the mark */
		return 0;
	for (int above = 1; above < MAPLE_DEPTH_MAX && MAPLE_TYPE(entry) == MAPLE_ARANGE_64; above++)
		entry = maple_descend(entry, addr, MAPLE_ARANGE_PIVOTS);
	return MAPLE_TYPE(entry) == MAPLE_LEAF_64 ? maple_descend(entry, addr, MAPLE_LEAF_PIVOTS) : 0;
}

static __always_inline u32 memory_of(struct vm_area_struct *area, unsigned long flags, struct file *file)
{
	void *ops = NULL;
	struct inode *inode = NULL;
	struct super_block *sb = NULL;
	unsigned long magic = 0;

	if (flags & VM_HUGETLB)
		return MEMORY_HUGETLB;
	read_kernel(ops, &area->vm_ops);
	if (!ops) /* vma_is_anonymous(); a private mapping of /dev/zero has a file and is anonymous */
		return MEMORY_ANON;
	if (!file)
		return MEMORY_SPECIAL;
	read_kernel(inode, &file->f_inode);
	read_kernel(sb, &inode->i_sb);
	read_kernel(magic, &sb->s_magic);
	return magic == TMPFS_MAGIC ? MEMORY_SHMEM : MEMORY_FILE;
}

/* Describes *area in v; false where it does not cover addr. */
static __always_inline bool vma_read(struct vma *v, struct vm_area_struct *area, u64 addr)
{
	unsigned long flags = 0;
	struct file *file = NULL;

	read_kernel(v->start, &area->vm_start);
	read_kernel(v->end, &area->vm_end);
	if (addr < v->start || addr >= v->end) {
		v->end = 0;
		return false;
	}
	read_kernel(flags, &area->vm_flags);
	read_kernel(file, &area->vm_file);
	v->memory = memory_of(area, flags, file);
	v->shared = !!(flags & VM_SHARED);
	v->userfault = (flags & VM_UFFD_MISSING ? VMA_UFFD_MISSING : 0) | (flags & VM_UFFD_WP ? VMA_UFFD_WP : 0);
	v->file = (u64)file;
	return true;
}

/*
 * The count of changes to an address space plus one, or 0 where this kernel keeps none (before 6.4) or
 * a change is under way: then nothing may be remembered.
 */
static __always_inline u64 mm_sequence(struct mm_struct *mm)
{
	u32 sequence = 0;

	if (field_exists(mm->mm_lock_seq.sequence)) {
		read_kernel(sequence, &mm->mm_lock_seq.sequence);
		u64 even = ~sequence & 1;
		opaque(even);
		return even * ((u64)sequence + 1);
	}
	struct mm_struct___int *older = (void *)mm;
	if (field_exists(older->mm_lock_seq)) {
		read_kernel(sequence, &older->mm_lock_seq);
		return (u64)sequence + 1;
	}
	return 0;
}

#endif
