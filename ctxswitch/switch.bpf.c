//go:build ignore

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
//
// Counts context switches and times the three states of a task: running, runnable, blocked.
//
//   sched_switch              leaves running (to runnable or blocked), enters running
//   sched_wakeup, _wakeup_new blocked to runnable
//   sched_migrate_task        changes of CPU
//
// Every sched_switch is one nr_switches++ in the kernel, so `switches` below must equal the difference
// in /proc/stat ctxt. Voluntary and involuntary follow the kernel's own rule: involuntary is what was
// preempted or was still runnable, whatever state it had set for itself.
//
// These programs run with the run queue locked. So: per-CPU tables, look-up before update, and per-task
// state in task storage.
#include "key.h"

// Bits of task_state.flags; the lower half is scope.h's.
enum {
	TASK_PREEMPTED = 1 << 16, // runnable since it was preempted, not since it was woken
	TASK_HAS_BLOCKED = 1 << 18, // blocked_in means something
	TASK_COUNTED = 1 << 17, // nvcsw and nivcsw below were read at the task's last switch that we saw
};

struct task_state {
	u32 flags;
	u32 blocked_in; // where, while blocked_ns is set
	u64 running_ns; // since when; 0 while off the CPU, or not known
	u64 runnable_ns;
	u64 blocked_ns; // stays set until the task runs again
	u64 nvcsw, nivcsw;
};

#include "hist.h"
#include "scope.h"
#include "cost.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile u32 keep_preemptors;
const volatile u32 nr_sched_yield; // of this architecture

// What a task blocked in, where that is no system call number of its own architecture.
enum {
	BLOCKED_KTHREAD = 0xffffffff,
	BLOCKED_IO_WORKER = 0xfffffffe,
	BLOCKED_EXCEPTION = 0xfffffffd, // a page fault, or work on the way back to user mode
	BLOCKED_NEVER = 0xfffffffc, // not yet, while observed
	BLOCKED_COMPAT = 0x80000000, // added to a 32-bit system call's number
};

struct totals {
	u64 switches; // every sched_switch, in scope or not
	u64 from_idle; // of them, those that left an idle task
	u64 unseen; // switches that must have been between two that we saw, since other tasks were running
	u64 running; // the task that the last switch on this CPU brought in
	u64 voluntary, involuntary;
	u64 exit; // of tasks that are dead, and whose counters may have been read for the last time
	u64 migrations;
	struct hist run_delay[2]; // woken, preempted
	struct hist on_cpu;
};

struct who_stats {
	u64 voluntary, involuntary;
	u64 run_delay_ns, run_delay_ns_max;
	u64 on_cpu_ns, off_cpu_ns;
};

struct preemption {
	char victim[16], by[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct totals);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 128);
	__type(key, u32);
	__type(value, struct hist);
} off_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); // sized by user space when `by` is set
	__type(key, struct key);
	__type(value, struct who_stats);
} who SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); // sized by user space when keep_preemptors is set
	__type(key, struct preemption);
	__type(value, u64);
} preemptions SEC(".maps");

const struct hist no_hist; // what a new entry begins as
const struct who_stats no_who_stats;
const u64 no_count;

static __always_inline struct totals *this_cpu_totals(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&totals, &zero);
}

static __always_inline u32 blocked_in(struct task_struct *task)
{
	if (task->flags & PF_KTHREAD)
		return BLOCKED_KTHREAD;
	if (task->flags & PF_IO_WORKER)
		return BLOCKED_IO_WORKER;
	s32 nr = syscall_of(task);
	if (nr < 0)
		return BLOCKED_EXCEPTION;
	return in_compat_syscall(task) ? BLOCKED_COMPAT | nr : nr;
}

static __always_inline struct hist *off_cpu_of(u32 where)
{
	struct hist *h = bpf_map_lookup_elem(&off_cpu, &where);

	if (h)
		return h;
	bpf_map_update_elem(&off_cpu, &where, &no_hist, BPF_NOEXIST);
	h = bpf_map_lookup_elem(&off_cpu, &where);
	if (!h)
		count_loss(LOSS_MAP_FULL);
	return h;
}

static __always_inline struct who_stats *who_is(struct task_struct *task, struct task_state *st)
{
	struct key k = {};

	key_of_task(&k, task);
	if (by & BY_SYSCALL)
		k.what = st->flags & TASK_HAS_BLOCKED ? st->blocked_in : BLOCKED_NEVER;
	struct who_stats *w = bpf_map_lookup_elem(&who, &k);
	if (w)
		return w;
	bpf_map_update_elem(&who, &k, &no_who_stats, BPF_NOEXIST);
	w = bpf_map_lookup_elem(&who, &k);
	if (!w)
		count_loss(LOSS_MAP_FULL);
	return w;
}

static __always_inline void count_preemption(struct task_struct *victim, struct task_struct *next)
{
	struct preemption p = {};

	read_kernel(p.victim, &victim->comm);
	read_kernel(p.by, &next->comm);
	u64 *n = bpf_map_lookup_elem(&preemptions, &p);
	if (!n) {
		bpf_map_update_elem(&preemptions, &p, &no_count, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&preemptions, &p);
	}
	if (n)
		(*n)++;
	else
		count_loss(LOSS_MAP_FULL);
}

// Which counter the kernel has just added one to for prev (kernel/sched/core.c, __schedule): 1 for the
// voluntary. That is no preemption inside the kernel, and either a state to block in, or a counter that shows
// it: it yielded, or it was about to block and a signal was pending. The kernel counts the second as voluntary,
// and since 6.14 hands us the state after it was reset to running.
static __always_inline u64 is_voluntary(u64 preempt, u64 prev_state, struct task_struct *prev, struct task_state *st)
{
	u64 counted = st->flags / TASK_COUNTED & 1;

	return (nonzero(prev_state) | (counted & nonzero(prev->nvcsw ^ st->nvcsw))) & (preempt ^ 1);
}

static __always_inline u64 is_reaped(struct task_struct *task, u64 not_null)
{
	u64 sighand = not_null, exiting = task->flags / PF_EXITING & 1;

	// Not task->sighand: to follow a pointer, the verifier looks through all of the kernel's types.
	if (exiting)
		read_kernel(sighand, &task->sighand);
	return nonzero(sighand) ^ 1;
}

static __always_inline void leave_cpu(struct task_struct *prev, struct task_struct *next, u64 preempt, u32 prev_state,
				      u64 now, struct totals *t)
{
	struct task_state *st = observed(prev);

	if (!st)
		return;
	// The time first: the verifier walks the histogram once for each way in which it can be reached.
	u64 ran_ns = 0;
	if (st->running_ns) {
		ran_ns = elapsed(st->running_ns, now);
		hist_record(&t->on_cpu, ran_ns);
	}
	asm volatile("" ::: "memory");

	// A task that has been reaped can still be switched, out for the last time or before it gets there.
	// Its counters were folded into rusage when it was reaped (release_task clears sighand), so rusage has
	// these switches or not, depending on who was first.
	u64 dead = (prev_state / TASK_DEAD & 1) | is_reaped(prev, now);
	u64 voluntary = is_voluntary(preempt, prev_state, prev, st);
	u64 blocks = voluntary & nonzero(prev_state) & (dead ^ 1);

	opaque(dead);
	opaque(voluntary);
	opaque(blocks);
	t->exit += dead;
	t->voluntary += voluntary & (dead ^ 1);
	t->involuntary += (voluntary | dead) ^ 1;

	if (st->flags & TASK_COUNTED) { // the kernel has added this switch, and must have added no other
		u64 missed = prev->nvcsw + prev->nivcsw - st->nvcsw - st->nivcsw - 1;
		if (unlikely(missed))
			count_losses(LOSS_EVENT, missed);
		if (unlikely(!st->running_ns))
			count_loss(LOSS_PAIR);
	}
	st->nvcsw = prev->nvcsw;
	st->nivcsw = prev->nivcsw;
	st->flags |= TASK_COUNTED;

	st->running_ns = 0;
	st->runnable_ns = 0;
	st->blocked_ns = 0;
	if (blocks) {
		st->blocked_ns = now;
		st->blocked_in = blocked_in(prev);
		st->flags |= TASK_HAS_BLOCKED;
	} else {
		st->runnable_ns = now;
		st->flags |= TASK_PREEMPTED;
		// `preempt` says that it was inside the kernel. Most lose the CPU on the way back to user mode.
		if (keep_preemptors && !(dead | voluntary) && blocked_in(prev) != nr_sched_yield)
			count_preemption(prev, next);
	}
	if (by) {
		struct who_stats *w = who_is(prev, st);
		if (w) {
			w->on_cpu_ns += ran_ns;
			w->voluntary += voluntary & (dead ^ 1);
			w->involuntary += (voluntary | dead) ^ 1;
		}
	}
}

static __always_inline void enter_cpu(struct task_struct *next, u64 now, struct totals *t)
{
	struct task_state *st = observed(next);

	if (!st)
		return;
	u64 delay_ns = 0, blocked_ns = 0;
	if (st->runnable_ns) {
		delay_ns = elapsed(st->runnable_ns, now);
		u64 preempted = st->flags / TASK_PREEMPTED & 1;
		opaque(preempted);
		hist_record(&t->run_delay[preempted & 1], delay_ns);
	}
	if (st->blocked_ns) {
		struct hist *h = off_cpu_of(st->blocked_in);
		blocked_ns = elapsed(st->blocked_ns, now);
		if (h)
			hist_record(h, blocked_ns);
	}
	if (by && (delay_ns || blocked_ns)) {
		struct who_stats *w = who_is(next, st);
		if (w) {
			w->run_delay_ns += delay_ns;
			w->off_cpu_ns += blocked_ns;
			if (delay_ns > w->run_delay_ns_max)
				w->run_delay_ns_max = delay_ns;
		}
	}
	st->running_ns = now;
	st->runnable_ns = 0;
	st->blocked_ns = 0;
	st->nvcsw = next->nvcsw;
	st->nivcsw = next->nivcsw;
	st->flags = (st->flags & ~TASK_PREEMPTED) | TASK_COUNTED;
}

static __always_inline void on_sched_switch(u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	struct totals *t = this_cpu_totals();
	u64 now = bpf_ktime_get_ns();

	if (!t)
		return;
	t->switches++;
	// What runs when a switch begins is what the last switch brought in. Where it is not, the kernel
	// switched without running us.
	if (t->running && t->running != ctx[1])
		t->unseen++;
	t->running = ctx[2];
	if (prev->pid)
		leave_cpu(prev, next, ctx[0] & 1, ctx[3], now, t);
	else
		t->from_idle++;
	if (next->pid)
		enter_cpu(next, now, t);
}

PROGRAM("tp_btf/sched_switch", sched_switch, u64, on_sched_switch(ctx))

static __always_inline void wake(struct task_struct *task)
{
	struct task_state *st = observed(task);

	// Woken before it had left the CPU, it never stopped running; preempted on its way to sleep, it has
	// been runnable all along.
	if (!st || st->running_ns || st->runnable_ns)
		return;
	st->runnable_ns = bpf_ktime_get_ns();
	st->flags &= ~TASK_PREEMPTED;
}

PROGRAM("tp_btf/sched_wakeup", sched_wakeup, u64, wake((void *)ctx[0]))

PROGRAM("tp_btf/sched_wakeup_new", sched_wakeup_new, u64, wake((void *)ctx[0]))

// Fires before the task's CPU changes, and now and then without a change; the kernel counts changes.
static __always_inline void on_sched_migrate_task(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct totals *t = this_cpu_totals();

	if (t && task->thread_info.cpu != (u32)ctx[1] && observed(task))
		t->migrations++;
}

PROGRAM("tp_btf/sched_migrate_task", sched_migrate_task, u64, on_sched_migrate_task(ctx))

PROGRAM("tp_btf/task_newtask", task_new, u64, join_parent((void *)ctx[0], ctx[1]))
