package hist

import "math"

// Hist is a histogram of unsigned 64-bit values in one unit, nanoseconds mostly.
// The zero value is an empty histogram.
//
// The fields are open so that a copy of what the kernel counted can be put into
// them: fill Counts, Sum and Max, then [Hist.Merge] it into another. Such a copy
// is taken while programs run, so the events of that instant may stand in some
// of its fields and not yet in others.
type Hist struct {
	Counts [Buckets]uint64 // values seen, by bucket; see [Index]
	Count  uint64          // values seen: the sum of Counts
	Sum    uint64          // exact sum of the values, modulo 2^64
	Max    uint64          // largest value, 0 when empty; exact except after [Hist.Sub]
}

// Record adds the value v.
func (h *Hist) Record(v uint64) {
	h.Counts[Index(v)]++
	h.Count++
	h.Sum += v
	h.Max = max(h.Max, v)
}

// Merge adds all that o has seen, as if h had recorded it too. It counts anew
// from o.Counts, so o.Count need not be filled.
func (h *Hist) Merge(o *Hist) {
	for i, n := range o.Counts {
		h.Counts[i] += n
		h.Count += n
	}
	h.Sum += o.Sum
	h.Max = max(h.Max, o.Max)
}

// Sub takes from h all that prev had seen, leaving the interval between two
// snapshots of one growing histogram, prev being the earlier. Counts, Count and
// Sum are exact, Sum even when it has wrapped in between.
//
// Max is exact when the maximum grew during the interval. Otherwise the largest
// value of the interval is not in the snapshots, and Max is an upper bound: the
// largest value that the highest bucket in use can hold, and no more than the
// maximum of all time. It is then within [ErrorBound] like a quantile.
//
// Sub reports whether prev can be an earlier snapshot of h. If some count or the
// maximum shrank it cannot be, and the result is false; counts that shrank are
// then 0 and the others say little.
func (h *Hist) Sub(prev *Hist) bool {
	grew, ok := h.Max > prev.Max, h.Max >= prev.Max
	h.Count = 0
	top := -1
	for i, old := range prev.Counts {
		if h.Counts[i] < old {
			ok = false
			old = h.Counts[i]
		}
		h.Counts[i] -= old
		h.Count += h.Counts[i]
		if h.Counts[i] > 0 {
			top = i
		}
	}
	h.Sum -= prev.Sum
	if !grew {
		h.Max = h.ceiling(top)
	}
	return ok
}

// Quantile returns an upper bound of the q-quantile: of the value whose rank,
// from the smallest, is ceil(q*Count), computed in float64. Quantile(0.5) is the
// median, Quantile(0) bounds the smallest value, Quantile(1) is Max. A q outside
// [0, 1] counts as the nearer end, NaN as 1. An empty histogram gives 0.
//
// The answer is never below the true quantile, never above Max, and at most
// [ErrorBound] above the true quantile. Values below 16 are exact. The open-ended
// last bucket is the exception: when Max is 2^42 or more (73 minutes in
// nanoseconds), a quantile of 15*2^38 or more comes out as Max, an upper bound
// with no limit to its error.
func (h *Hist) Quantile(q float64) uint64 {
	var total uint64 // not h.Count, which a caller may have left unfilled
	for _, n := range h.Counts {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank := rankOf(q, total)
	i := 0
	for seen := h.Counts[0]; seen < rank; seen += h.Counts[i] {
		i++
	}
	return h.ceiling(i)
}

// rankOf returns ceil(q*n), from 1 to n.
func rankOf(q float64, n uint64) uint64 {
	if !(q < 1) { // so that NaN comes here
		return n
	}
	// Below 2^64 even for the largest n and q, so the conversion is defined.
	return min(max(uint64(math.Ceil(max(q, 0)*float64(n))), 1), n)
}

// ceiling returns the largest value that bucket i can hold, given Max; 0 for -1,
// the bucket of an empty histogram.
func (h *Hist) ceiling(i int) uint64 {
	if i < 0 {
		return 0
	}
	if i == Buckets-1 {
		return h.Max
	}
	return min(lowerBound(i+1)-1, h.Max)
}
