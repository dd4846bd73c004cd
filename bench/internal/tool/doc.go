// Package tool runs an observer as a process and asks the kernel, not the observer, what it costs: its
// eBPF programs and their run time, and its memory.
//
// Linux only. Reading programs needs CAP_BPF or CAP_SYS_ADMIN, and their run time needs the kernel's
// accounting on (BPF_ENABLE_STATS). A Process belongs to one goroutine.
package tool
