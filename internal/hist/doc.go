// Package hist holds the log-linear histogram in which the observers keep
// durations: the kernel counts, this package adds up, asks and draws.
//
// # The bucket contract
//
// An eBPF program and [Index] must put every value into the same bucket. For a
// value v of 64 bits, unsigned, e being the place of its highest bit:
//
//	v < 8:      index = v
//	otherwise:  e     = floor(log2(v))
//	            sub   = (v >> (e - 3)) & 7
//	            index = (e - 2) * 8 + sub
//	always:     index = min(index, Buckets - 1)
//
// So values below 16 have a bucket each, every octave [2^e, 2^(e+1)) from there
// on has 8 buckets of equal width, and no bucket straddles a power of two. The
// last bucket, 319, is open-ended: it takes everything from 15 * 2^38 on, which
// in nanoseconds is 68.7 minutes. These rows tell a C implementation from a wrong one:
//
//	v      0  7  8  15  16  17  18  1000  4123168604159  4123168604160  2^64-1
//	index  0  7  8  15  16  16  17    63            318            319     319
//
// # Use
//
// Copy what each CPU counted into a [Hist] and [Hist.Merge] them; the difference
// of two such snapshots ([Hist.Sub]) is an interval. A quantile is an upper bound,
// at most [ErrorBound] above the true one.
//
// The package is arithmetic alone: any operating system, no privilege. It is no
// general-purpose metrics library: the resolution is fixed, because the kernel
// side has it compiled in. A Hist has no lock; whoever holds one synchronizes.
package hist
