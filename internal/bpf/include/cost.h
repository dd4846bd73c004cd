/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What our programs cost, where the kernel will not say: it accounts for program time
 * (BPF_ENABLE_STATS) for administrators alone. Then every 64th run on a CPU is timed from its first line to
 * its last, which leaves out the kernel's way in and out.
 */
#ifndef RING3_COST_H
#define RING3_COST_H

#include "kernel.h"

const volatile u32 cost_sampled; /* user space sets it where the kernel's accounting is not to be had */

/* Read by Session.sampledCost. */
struct cost {
	u64 runs, timed, ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cost);
} cost SEC(".maps");

/* Returns when this run began, or 0 for one that is not timed. */
static __always_inline u64 cost_begin(void)
{
	u32 zero = 0;

	if (!cost_sampled)
		return 0;
	struct cost *c = bpf_map_lookup_elem(&cost, &zero);
	if (!c)
		return 0;
	return c->runs++ & 63 ? 0 : bpf_ktime_get_ns();
}

static __always_inline void cost_end(u64 began_ns)
{
	u32 zero = 0;

	if (!began_ns)
		return;
	struct cost *c = bpf_map_lookup_elem(&cost, &zero);
	if (!c)
		return;
	c->timed++;
	c->ns += bpf_ktime_get_ns() - began_ns;
}

/* Defines a program: where it hooks, its name, what it is handed as ctx, and the call that is its work. */
#define PROGRAM(section, name, context, body)                                                                          \
	SEC(section) int name(context *ctx)                                                                            \
	{                                                                                                              \
		u64 began_ns = cost_begin();                                                                           \
		body;                                                                                                  \
		cost_end(began_ns);                                                                                    \
		return 0;                                                                                              \
	}

#endif
