/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The parts of the kernel that our programs touch, and nothing else.
 *
 * Every struct here names only the fields that are read. preserve_access_index makes clang
 * record each access by name, and the loader puts in the running kernel's offset (CO-RE), so
 * order and size below mean nothing. A struct whose layout is read by hand (the maple tree) says so.
 *
 * A name with ___ in it is a second shape of the type before the ___ (an older or a newer kernel's).
 */
#ifndef RING3_KERNEL_H
#define RING3_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* --- how a program is written --- */

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline)) /* a call, to keep rare code out of the frequent */
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Map definitions: libbpf's BTF convention, which cilium/ebpf reads too. */
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

/* Reads once, so that the compiler cannot load a racing field twice. */
#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))

/*
 * Makes x a number that the compiler knows nothing of. Conditions are worked out as numbers where several
 * come together: the compiler would branch on each, the verifier then walks every combination of them, and
 * the processor guesses at them.
 */
#define opaque(x) asm volatile("" : "+r"(x))

/* True where the running kernel's type has this field. */
#define field_exists(field) __builtin_preserve_field_info(field, 2)

/* --- kernel types --- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
};
struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};
struct qstr {
	const unsigned char *name;
};
struct dentry {
	struct qstr d_name;
};
struct path {
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
};
struct vm_operations_struct {
	void *open;
};

/* vm_flags is a union of const and plain names; the const one exists in every kernel. */
struct vm_area_struct {
	unsigned long vm_start, vm_end;
	unsigned long vm_flags;
	const struct vm_operations_struct *vm_ops;
	struct file *vm_file;
};

struct maple_tree {
	void *ma_root;
};

typedef struct seqcount {
	unsigned sequence;
} seqcount_t;

struct mm_struct {
	struct maple_tree mm_mt;
	seqcount_t mm_lock_seq; /* since 6.13; odd while a writer holds mmap_lock */
};
struct mm_struct___int { /* 6.4 to 6.12 */
	int mm_lock_seq;
};

struct kernfs_node {
	u64 id;
};
struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[]; /* since 6.1 */
};
struct css_set {
	struct cgroup *dfl_cgrp;
};

struct sched_entity {
	u64 nr_migrations;
};

struct sighand_struct {
	int unused;
};

struct thread_info {
	unsigned long flags;
	u32 status; /* x86: TS_COMPAT while in a 32-bit system call */
	u32 cpu;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int pid, tgid;
	int exit_code; /* as wait(2) shows it; set when the task begins to exit */
	char comm[16];
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	unsigned long nvcsw, nivcsw;
	unsigned long min_flt, maj_flt;
	struct css_set *cgroups;
	struct sighand_struct *sighand; /* NULL once reaped */
	struct sched_entity se;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	int syscallno;
};
#else
#error "amd64 and arm64 only"
#endif

#pragma clang attribute pop

/* What a perf_event program is handed (uapi/linux/bpf_perf_event.h, uapi/asm/ptrace.h): fixed layout. */
#if defined(__TARGET_ARCH_x86)
struct user_regs {
	u64 general[17];
	u64 cs;
	u64 flags, sp, ss;
};

static __always_inline bool from_user_mode(struct user_regs *regs)
{
	return regs->cs & 3;
}
#else
struct user_regs {
	u64 general[31];
	u64 sp, pc;
	u64 pstate;
};

static __always_inline bool from_user_mode(struct user_regs *regs)
{
	return (regs->pstate & 0xf) == 0; /* PSR_MODE_EL0t */
}
#endif
struct bpf_perf_event_data {
	struct user_regs regs;
	u64 sample_period;
	u64 addr;
};

#define PF_EXITING 0x00000004 /* include/linux/sched.h */
#define PF_IO_WORKER 0x00000010
#define PF_MEMALLOC 0x00000800 /* set while the task reclaims memory itself */
#define PF_KTHREAD 0x00200000
#define MM_SWAPENTS 2 /* include/linux/mm_types_task.h */
#define TS_COMPAT 0x0002 /* arch/x86/include/asm/thread_info.h */
#define TIF_32BIT (1UL << 22) /* arch/arm64/include/asm/thread_info.h, as a mask */
#define CLONE_THREAD 0x00010000 /* uapi/linux/sched.h */
#define TASK_DEAD 0x00000080

/* --- maps and helpers (uapi/linux/bpf.h; the numbers are ABI) --- */

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_NOEXIST = 1 };
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static long (*bpf_probe_read_kernel)(void *dst, u32 size, const void *src) = (void *)113;
static long (*bpf_probe_read_kernel_str)(void *dst, u32 size, const void *src) = (void *)115;
static void *(*bpf_task_storage_get)(void *map, struct task_struct *task, void *value, u64 flags) = (void *)156;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static u64 (*bpf_get_attach_cookie)(void *ctx) = (void *)174;
static long (*bpf_task_pt_regs)(struct task_struct *task) = (void *)175;

/* 1 where x is not 0, without a branch. */
static __always_inline u64 nonzero(u64 x)
{
	u64 minus = -x;

	opaque(minus);
	return (x | minus) >> 63;
}

/* Reads *src into dst through the fault-safe helper, at the running kernel's offset. */
#define read_kernel(dst, src) bpf_probe_read_kernel(&(dst), sizeof(dst), __builtin_preserve_access_index(src))

/* The number of the system call that a task is in, or below 0 in none; an exception's entry makes it so. */
static __always_inline s32 syscall_of(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return regs->syscallno;
#endif
}

/* Whether that number is one of the 32-bit table. */
static __always_inline bool in_compat_syscall(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & TS_COMPAT;
#else
	return task->thread_info.flags & TIF_32BIT;
#endif
}

#endif
