/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which tasks an observer observes. The kernel side of internal/target.
 *
 * The includer declares its per-task state first, as `struct task_state` with a `u32 flags`, and then
 * includes this file. State lives in task storage: it is freed with its task, nothing has to be swept,
 * and a reused pid cannot inherit a dead task's clock.
 */
#ifndef RING3_SCOPE_H
#define RING3_SCOPE_H

#include "kernel.h"

enum scope {
	SCOPE_HOST, /* every task but the idle ones */
	SCOPE_MEMBERS, /* processes marked from user space (by pidfd), and what they fork */
	SCOPE_COMM, /* tasks that bear a name now */
	SCOPE_CGROUP, /* tasks in a cgroup v2 or below it now */
};

/* Bits of task_state.flags that belong to this file. The upper half is the includer's. */
enum {
	TASK_MEMBER = 1 << 0, /* this task is observed; on a group leader: its whole process */
	TASK_SEED = 1 << 1, /* on a group leader: processes that this process forks become members */
};

const volatile u32 scope_kind;
const volatile s32 scope_tid; /* with SCOPE_MEMBERS: only this thread, 0 for all */
const volatile u32 scope_follow = 1; /* with SCOPE_MEMBERS: children join */
const volatile u64 scope_cgroup_id;
const volatile s32 scope_cgroup_level;
const volatile u64 scope_comm[2]; /* 16 bytes, padded with zeros */

/* Every way to lose an event has a counter here; user space prints them by name (internal/bpf/loss.go). */
enum loss {
	LOSS_STORAGE, /* no task storage: out of memory, or its lock was taken under us */
	LOSS_MAP_FULL, /* a table had no room for another key */
	LOSS_CLOCK, /* an interval would have been negative */
	LOSS_PAIR, /* an interval of which one end was not seen */
	LOSS_EVENT, /* the kernel's counter of this task shows an event that no program ran for */
	LOSS_MAX,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_MAX);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

static __always_inline void count_losses(u32 cause, u64 more)
{
	u64 *n = bpf_map_lookup_elem(&lost, &cause);

	if (n)
		*n += more;
}

static __always_inline void count_loss(u32 cause)
{
	count_losses(cause, 1);
}

/* ns since `since`, or 0 and a loss where clocks of two CPUs disagree. */
static __always_inline u64 elapsed(u64 since, u64 now)
{
	u64 ns = now - since, backwards = ns >> 63;

	ns &= backwards - 1;
	opaque(ns);
	if (unlikely(backwards))
		count_loss(LOSS_CLOCK);
	return ns;
}

static __always_inline struct task_state *task_state(struct task_struct *task)
{
	return bpf_task_storage_get(&tasks, task, NULL, 0);
}

static __noinline struct task_state *create_task_state(struct task_struct *task, u32 flags)
{
	struct task_state *st = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (st)
		st->flags |= flags;
	else
		count_loss(LOSS_STORAGE);
	return st;
}

static __always_inline bool comm_matches(struct task_struct *task)
{
	u64 comm[2];

	read_kernel(comm, &task->comm);
	return comm[0] == scope_comm[0] && comm[1] == scope_comm[1];
}

/* A cgroup's ancestors stand in an array by depth, so being below another is one look at its level. */
static __always_inline bool cgroup_matches(struct task_struct *task)
{
	struct cgroup *cgrp = task->cgroups->dfl_cgrp;
	struct cgroup *at_level = NULL;
	u64 id = 0;

	if (scope_cgroup_level > cgrp->level)
		return false;
	read_kernel(at_level, &cgrp->ancestors[scope_cgroup_level]);
	if (!at_level)
		return false;
	struct kernfs_node *kn = NULL;
	read_kernel(kn, &at_level->kn);
	read_kernel(id, &kn->id);
	return id == scope_cgroup_id;
}

/*
 * The state of a task that is observed, or NULL for one that is not. `task` must be the current task
 * or a task that a tracepoint handed over.
 */
static __always_inline struct task_state *observed(struct task_struct *task)
{
	if (scope_kind == SCOPE_MEMBERS) {
		if (scope_tid && task->pid != scope_tid)
			return NULL;
		struct task_state *st = task_state(task);
		if (st && st->flags & TASK_MEMBER)
			return st;
		/* A thread of a process that was marked while the thread was running already. */
		struct task_struct *leader = task->group_leader;
		st = task_state(leader);
		if (!st || !(st->flags & TASK_MEMBER))
			return NULL;
		return create_task_state(task, TASK_MEMBER);
	}
	if (task->pid == 0)
		return NULL; /* idle: its "switches" are the absence of work */
	if (scope_kind == SCOPE_COMM && !comm_matches(task))
		return NULL;
	if (scope_kind == SCOPE_CGROUP && !cgroup_matches(task))
		return NULL;
	struct task_state *st = task_state(task);
	return st ? st : create_task_state(task, 0);
}

/*
 * tp_btf/task_newtask: the parent is current and the child has not run. Threads need no call, since
 * observed() finds them through their leader, but get one anyway: it saves them the second lookup.
 * Returns the state of a child that joined.
 */
static __always_inline struct task_state *join_parent(struct task_struct *child, u64 clone_flags)
{
	struct task_struct *parent = bpf_get_current_task_btf();

	if (scope_kind != SCOPE_MEMBERS || scope_tid)
		return NULL;
	if (clone_flags & CLONE_THREAD) {
		struct task_state *st = task_state(parent);
		if (!st || !(st->flags & TASK_MEMBER))
			return NULL;
	} else {
		struct task_state *st = task_state(parent->group_leader);
		if (!st)
			return NULL;
		if (!(st->flags & TASK_SEED) && !(scope_follow && st->flags & TASK_MEMBER))
			return NULL;
	}
	return create_task_state(child, TASK_MEMBER);
}

#endif
