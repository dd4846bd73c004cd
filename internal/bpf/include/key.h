/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The key of a "who" table. Fields that nobody asked for stay zero, so one struct serves every
 * combination of keys and the kernel does the grouping. Mirrors bpf.Key.
 */
#ifndef RING3_KEY_H
#define RING3_KEY_H

#include "kernel.h"

enum {
	BY_COMM = 1 << 0,
	BY_PID = 1 << 1,
	BY_TID = 1 << 2,
	BY_CGROUP = 1 << 3,
	BY_CLASS = 1 << 4, /* page faults: the class */
	BY_FILE = 1 << 5, /* page faults: the mapped file */
	BY_SYSCALL = 1 << 6, /* context switches: the system call that the task blocked in */
};

const volatile u32 by; /* 0: no table is kept, and none is paid for */

struct key {
	u32 tgid, tid;
	u64 cgroup;
	u64 inode;
	u32 device;
	u32 what; /* fault class or system call */
	char comm[16];
	char file[32];
};

static __always_inline void key_of_task(struct key *k, struct task_struct *task)
{
	if (by & BY_PID)
		k->tgid = task->tgid;
	if (by & BY_TID)
		k->tid = task->pid;
	if (by & BY_COMM)
		read_kernel(k->comm, &task->comm);
	if (by & BY_CGROUP)
		k->cgroup = task->cgroups->dfl_cgrp->kn->id;
}

#endif
