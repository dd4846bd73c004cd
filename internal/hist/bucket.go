package hist

import (
	"math"
	"math/bits"
)

const (
	// Buckets is the number of buckets. Changing it changes the layout that is
	// shared with the kernel.
	Buckets = 320

	// ErrorBound is how far, as a fraction of the true value, an answer of
	// [Hist.Quantile] may lie above it: the width of a bucket is at most an
	// eighth of the smallest value in it.
	ErrorBound = 0.125
)

const (
	subBits = 3 // 2^3 buckets an octave
	subs    = 1 << subBits
)

// Index returns the bucket of v, from 0 to Buckets-1, by the contract in the
// package comment.
func Index(v uint64) int {
	if v < subs {
		return int(v)
	}
	e := bits.Len64(v) - 1
	sub := int(v>>(e-subBits)) & (subs - 1)
	return min((e-subBits+1)*subs+sub, Buckets-1)
}

// Bounds returns the smallest value of bucket i and the smallest value beyond
// it: bucket i holds lo <= v < hi. The last bucket is open-ended: its hi is
// math.MaxUint64, which, there alone, it includes. An i that is no bucket gives
// the bounds of the nearest one.
func Bounds(i int) (lo, hi uint64) {
	i = min(max(i, 0), Buckets-1)
	if i == Buckets-1 {
		return lowerBound(i), math.MaxUint64
	}
	return lowerBound(i), lowerBound(i + 1)
}

func lowerBound(i int) uint64 {
	if i < subs {
		return uint64(i)
	}
	return uint64(subs+i%subs) << (i/subs - 1)
}
