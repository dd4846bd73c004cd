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

/*
 * BPF can neither count leading zeros nor set a register from a comparison. Each step asks whether v has
 * a bit above its lower half, by a carry: a branch would double the paths that the verifier has to walk.
 */
static __always_inline u32 log2_floor(u64 v)
{
	u64 n, shift;

	n = (((v >> 32) + 0xffffffff) >> 32) << 5;
	v >>= n;
	shift = (((v >> 16) + 0xffff) >> 16) << 4;
	v >>= shift;
	n |= shift;
	shift = (((v >> 8) + 0xff) >> 8) << 3;
	v >>= shift;
	n |= shift;
	shift = (((v >> 4) + 0xf) >> 4) << 2;
	v >>= shift;
	n |= shift;
	shift = (((v >> 2) + 0x3) >> 2) << 1;
	v >>= shift;
	n |= shift;
	return n | (v >> 1);
}

/* Below 16 the index is the value. */
static __always_inline u64 hist_index(u64 v)
{
	u32 shift = log2_floor(v | 8) - 3;

	return shift * 8 + (v >> shift);
}

/* h is this CPU's own copy, so plain additions are exact. */
static __always_inline void hist_record(struct hist *h, u64 v)
{
	u64 i = hist_index(v);

	/* Hides from the compiler what it knows of i, or it drops a comparison that the verifier needs. */
	opaque(i);
	if (i >= HIST_BUCKETS)
		i = HIST_BUCKETS - 1;
	h->counts[i]++;
	h->count++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
}

#endif
