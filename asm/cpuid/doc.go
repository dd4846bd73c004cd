// Package cpuid is a lesson: what does a processor say about itself? On amd64 it asks the CPUID instruction:
// who made it, what it can, which caches and TLBs it has, how its threads share cores, and whether a
// hypervisor stands between. On arm64 it reads the ID registers, which only the kernel may read: the kernel
// carries each read out for us, and tells what programs may know.
//
// Look for: numbers (leaves) grown in layers since 1993, with a maximum to ask for first; the difference between
// what the processor has and what the system has switched on; and that an answer is about the processor that
// gave it, so that a thread has to be pinned to ask for a certain one.
//
// No privilege is needed. Everything is safe for concurrent use.
//
// Sources: Intel SDM vol. 2, CPUID; AMD APM vol. 3 appendix E; Arm ARM D24; Linux
// Documentation/arch/arm64/cpu-feature-registers.rst and elf_hwcaps.rst; names of features are those of
// /proc/cpuinfo.
package cpuid
