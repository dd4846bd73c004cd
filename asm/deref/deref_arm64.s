//go:build linux

#include "textflag.h"

// Every function here is NOSPLIT with a frame of 0: its load or store may fault, and the runtime unwinds
// through the function then. It can do so only where the stack pointer has not moved, and where R28 still
// holds g, the goroutine.

// func Number() uint64
//
//	out  ret   0(FP)   what lies at that address, if anything does
//	uses R0            the number, then what it points at
//
// Five lines, this one included. Nothing marks a pointer as one: what the processor loads through is one.
TEXT ·Number(SB), NOSPLIT, $0-8
	MOVD $1111111111111111, R0 // a number like any other; four instructions, 16 bits each
	MOVD (R0), R0              // let it be an address
	MOVD R0, ret+0(FP)         // never comes here with 48-bit addresses
	RET

// func Load64(addr uintptr) uint64
//
//	in   addr  0(FP)   where to load from
//	out  ret   8(FP)   the eight bytes found there
//	uses R0            the address, then what it points at
TEXT ·Load64(SB), NOSPLIT, $0-16
	MOVD addr+0(FP), R0 // R0 is the pointer
	MOVD (R0), R0       // the dereference: R0 is what it points at
	MOVD R0, ret+8(FP)
	RET

// func Store64(addr uintptr, v uint64)
//
//	in   addr  0(FP)   where to store
//	     v     8(FP)   what
//	uses R0            the address
//	     R1            the value
TEXT ·Store64(SB), NOSPLIT, $0-16
	MOVD addr+0(FP), R0
	MOVD v+8(FP), R1
	MOVD R1, (R0) // brackets on the right: the same dereference, written through
	RET

// func LoadIndex(base uintptr, i int) uint64
//
//	in   base  0(FP)   address of element 0
//	     i     8(FP)   which of the elements, of eight bytes each
//	out  ret  16(FP)   the element
//	uses R0            the base, then the element
//	     R1            the index
//
// An array access in one instruction: the address unit computes base + i<<3 by itself, modulo 2^64, and a
// negative i is nothing special to it.
TEXT ·LoadIndex(SB), NOSPLIT, $0-24
	MOVD base+0(FP), R0
	MOVD i+8(FP), R1
	MOVD (R0)(R1<<3), R0
	MOVD R0, ret+16(FP)
	RET

// func Load8(addr uintptr) uint8
//
//	in   addr  0(FP)   where to load from
//	out  ret   8(FP)   the byte found there
//	uses R0            the address, then the byte
//
// MOVBU: move a byte, unsigned, so that the other 56 bits of R0 become 0.
TEXT ·Load8(SB), NOSPLIT, $0-9
	MOVD  addr+0(FP), R0
	MOVBU (R0), R0
	MOVB  R0, ret+8(FP)
	RET

// Where the functions begin. Go code that takes the address of one gets that of a wrapper, which moves
// arguments from registers to the stack; assembly names the function itself.
DATA ·numberEntry(SB)/8, $·Number(SB)
GLOBL ·numberEntry(SB), RODATA|NOPTR, $8
DATA ·load64Entry(SB)/8, $·Load64(SB)
GLOBL ·load64Entry(SB), RODATA|NOPTR, $8
DATA ·store64Entry(SB)/8, $·Store64(SB)
GLOBL ·store64Entry(SB), RODATA|NOPTR, $8
DATA ·loadIndexEntry(SB)/8, $·LoadIndex(SB)
GLOBL ·loadIndexEntry(SB), RODATA|NOPTR, $8
DATA ·load8Entry(SB)/8, $·Load8(SB)
GLOBL ·load8Entry(SB), RODATA|NOPTR, $8
