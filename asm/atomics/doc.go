// Package atomics is a lesson: how do two processors change one word without losing anything? It has addition,
// exchange and compare-and-swap in every way that the processor knows, three locks built from them, and
// two experiments: additions that get lost without them, and what it costs when two words share a cache line.
//
// Look for: on amd64 a prefix, LOCK, that makes one instruction of three indivisible; on arm64 a pair of
// instructions of which the second fails when somebody was there in between (LL/SC), and since Armv8.1
// single ones (LSE); and that a lock is a word and two promises about order, which amd64 keeps anyway and for
// which arm64 has loads and stores of their own.
//
// The locks are for reading, and for holding a few instructions: who waits spins for a short while in assembly,
// and then lets other goroutines run. They never sleep in the kernel as sync.Mutex does. The zero value of
// each is unlocked; none may be copied. They tell the race detector what they order.
//
// No privilege is needed. Everything is safe for concurrent use, unless it says otherwise.
//
// Sources: Intel SDM vol. 3A 9.1 and 9.2; Arm ARM B2.3 and B2.17; Mellor-Crummey and Scott, Algorithms for
// Scalable Synchronization (1991); Boehm, Can Seqlocks Get Along With Programming Language Memory Models? (2012).
package atomics
