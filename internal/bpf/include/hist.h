/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Log-linear histograms, 8 buckets an octave: the kernel side of internal/hist, which holds the
 * formula, the bounds and the tests. A value below 8 is its own bucket.
 */
#ifndef RING3_HIST_H
#define RING3_HIST_H

#include "kernel.h"

#define HIST_BUCKETS 320 /* hist.Buckets */

/* Mirrors hist.Hist, field for field: user space reads these bytes as that struct. */
struct hist {
	u64 counts[HIST_BUCKETS];
	u64 count, sum, max;
};

static __always_inline u32 log2_floor(u64 v)
{
	u32 n = 0;

	/* BPF has no count-leading-zeros: halve the search range six times, without branches. */
	u32 shift = (v > 0xffffffffULL) << 5;
	v >>= shift;
	n |= shift;
	shift = (v > 0xffff) << 4;
	v >>= shift;
	n |= shift;
	shift = (v > 0xff) << 3;
	v >>= shift;
	n |= shift;
	shift = (v > 0xf) << 2;
	v >>= shift;
	n |= shift;
	shift = (v > 0x3) << 1;
	v >>= shift;
	n |= shift;
	return n | (v >> 1);
}

static __always_inline u32 hist_index(u64 v)
{
	if (v < 8)
		return v;
	u32 e = log2_floor(v);
	return (e - 2) * 8 + ((v >> (e - 3)) & 7);
}

/* h is this CPU's own copy, so plain additions are exact. */
static __always_inline void hist_record(struct hist *h, u64 v)
{
	u64 i = hist_index(v);

	/* Hides from the compiler what it knows of i, or it drops a comparison that the verifier needs. */
	asm volatile("" : "+r"(i));
	if (i >= HIST_BUCKETS)
		i = HIST_BUCKETS - 1;
	h->counts[i]++;
	h->count++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
}

#endif
