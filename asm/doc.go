// Package asm is a course in assembly: each package below it is one lesson, which asks a question about the
// processor, the memory or the kernel and answers it with a few functions in Plan 9 assembly, for amd64 and
// arm64. This package has what they have in common.
//
// A lesson is a value of type [Lesson], which each package's function of that name returns. To show or step a
// function one has to know where its instructions are. The address that Go code has of a function in assembly
// is that of a wrapper, which the compiler makes: it moves arguments from registers to the stack, where
// assembly has them. Assembly itself names the function, so each lesson's says where its own begin:
//
//	DATA ·load64Entry(SB)/8, $·Load64(SB)
//	GLOBL ·load64Entry(SB), RODATA|NOPTR, $8
//
// and the Go part declares "var load64Entry uintptr" for [Function].Entry. The linker fills it in, in
// position-independent executables too.
package asm
