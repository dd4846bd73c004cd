// Package tsc is a lesson: what time is it, to the processor? It reads the counter that every processor has
// (amd64: the time-stamp counter, arm64: CNTVCT_EL0), by one instruction and without the kernel, and asks of
// it what must be known before it measures anything: what a reading costs, in which order with other
// instructions it happens, how fast it counts and whether that changes, and whether two processors agree.
//
// Look for: a reading that happens before the work it should follow (the processor does not wait unless it
// is told to); that the rate is not the clock of the core; and what can be known about a difference between
// two processors by passing a number to and fro.
//
// The counter can be taken away from a thread (prctl(PR_SET_TSC)); reading it is a fault then. No privilege is
// needed. Everything is safe for concurrent use.
//
// Sources: Intel SDM vol. 3B 19.17, AMD APM vol. 2 13.2.4; Arm ARM D12; Intel, How to Benchmark Code Execution
// Times (324264); Linux arch/x86/kernel/tsc.c.
package tsc
