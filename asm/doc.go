// Package asm is a course in assembly: each package below it is one lesson, which asks a question about the
// processor, the memory or the kernel and answers it with a few functions in Plan 9 assembly, for amd64 and
// arm64. This package has what they have in common.
package asm
