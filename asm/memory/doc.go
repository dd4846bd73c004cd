// Package memory is the lesson on how far away memory is: in time, from the registers, by what has to be asked
// on the way.
//
// Its experiments are a pointer chase through ever more memory, which shows the caches one after the other; the
// same number of lines spread over ever more pages, which shows the TLB, with pages of 4 KiB and with huge
// ones; prefetching what the processor cannot know that it will need; flushing a line and getting it back; and
// copying, in all the ways that the processor has.
//
// Look for the steps, not for the figures: how much the time grows where the data leaves a level, and that
// the kernel counted no page faults and, on a quiet machine, no switches meanwhile.
//
// [Copies] are usable by themselves, and are safe: they check lengths, and the bytes beyond stay as they were.
// Needs Linux, no privilege. The experiments may run on any goroutine; two at once disturb each other.
//
// Sources: Intel SDM vol. 2 (CLFLUSH, CLFLUSHOPT, CLWB, PREFETCHh, MOVNTDQ) and vol. 3, 4.10 (TLBs); Arm ARM C6 (DC,
// PRFM, LDNP, STNP); Drepper, What Every Programmer Should Know About Memory (2007); sizes of caches are from
// Linux Documentation/ABI/testing/sysfs-devices-system-cpu.
package memory
