//go:build linux

#include "textflag.h"

// func CPUID(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)
//
//	in   leaf     0(FP)   AX   what is asked
//	     subleaf  4(FP)   CX   and which part of it; leaves without parts ignore it
//	out  eax      8(FP)   AX
//	     ebx     12(FP)   BX
//	     ecx     16(FP)   CX
//	     edx     20(FP)   DX
//
// A leaf above the highest is no fault: Intel answers with the highest, AMD with zeros. So the highest has to
// be asked for first. CPUID also waits until everything before it is done (it serialises), and in a virtual
// machine it always ends in the hypervisor, which makes the answer up: it takes a microsecond or many.
TEXT ·CPUID(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL subleaf+4(FP), CX
	CPUID
	MOVL AX, eax+8(FP)
	MOVL BX, ebx+12(FP)
	MOVL CX, ecx+16(FP)
	MOVL DX, edx+20(FP)
	RET

// func XGETBV(index uint32) (value uint64)
//
//	in   index  0(FP)   CX   0: XCR0, the register state that the kernel has switched on
//	out  value  8(FP)   DX:AX
//
// CPUID says which registers the processor has; XCR0 says which of them the kernel saves at a context switch,
// and only those can be used. #UD where the kernel has not switched XSAVE on (CPUID 1 ECX 27).
TEXT ·XGETBV(SB), NOSPLIT, $0-16
	MOVL index+0(FP), CX
	XGETBV
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, value+8(FP)
	RET

DATA ·cpuidEntry(SB)/8, $·CPUID(SB)
GLOBL ·cpuidEntry(SB), RODATA|NOPTR, $8
DATA ·xgetbvEntry(SB)/8, $·XGETBV(SB)
GLOBL ·xgetbvEntry(SB), RODATA|NOPTR, $8
