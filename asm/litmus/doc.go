// Package litmus is a lesson: in which order do other processors see what one processor does? It runs
// litmus tests, programs of two to four threads with two accesses each, many million times on real
// processors, counts how each ended, and compares that with what the architecture's memory model allows.
//
// Look for: store buffering, the one reordering that amd64 shows, in plain code and not behind a fence; that
// every other outcome it could show is missing from ten million rounds; and how few instructions a thread has
// (litmus_amd64.s, litmus_arm64.s). What a model allows is not a table here but follows from which two
// accesses of a thread may change places (model.go).
//
// It needs nothing of the kernel but sched_setaffinity(2), and no privilege. Threads that have a processor
// each meet before every round; where there are fewer processors than threads they cannot, and the result
// says so. [Test.Run] is safe for concurrent use, but two runs at once disturb each other.
//
// Sources: Intel SDM vol. 3A 9.2 (memory ordering); Arm ARM B2.3; Owens, Sarkar, Sewell: A better x86 memory
// model: x86-TSO (2009); Pulte and others: Simplifying ARM concurrency (2018).
package litmus
