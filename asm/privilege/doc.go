// Package privilege is a lesson: what does the processor do when a program tries what only the kernel may?
// It reads the level that the processor runs at, then tries the instructions that make up a kernel, each in
// a child process that may die of it, and shows what came of it: the exception that the processor raised and
// the signal that the kernel made of it.
//
// Look for: the processor refuses, not the kernel, and it does so before anything has happened; amd64 and
// arm64 have few exceptions for it (general protection, undefined instruction), so that the kernel sees little
// of what was wanted; a few instructions are not refused but carried out by the kernel itself (UMIP's on amd64,
// the ID registers on arm64); and POPF, which is neither refused nor obeyed.
//
// The child is this program, started again: main, or TestMain, calls [Child] first. No privilege is needed,
// and none helps: to the processor root is a program like any other. Safe for concurrent use.
//
// Sources: Intel SDM vol. 2 and vol. 3A chapter 6, AMD APM vol. 2 chapter 8; Arm ARM D1.3 and D24; Linux
// arch/x86/kernel/traps.c and umip.c, arch/arm64/kernel/traps.c and Documentation/arch/arm64/cpu-feature-registers.rst.
package privilege
