// Package sysname gives Linux system calls their names.
//
// The tables are those of the architecture the program is built for, amd64 or
// arm64, and are generated from golang.org/x/sys/unix; a call that is newer
// than the x/sys version in go.mod has no name here and is written as its
// number. Elsewhere every call is written as its number.
//
// The package knows the native numbering only. A compatibility call (i386 on
// amd64, arm on arm64) counts differently, and x32 calls carry bit 30: the
// caller has to tell those apart before asking, or a wrong name results.
//
// Nothing here asks the kernel, so it works on any system and needs no
// privilege. All functions are safe for concurrent use.
//
//	sysname.Name(unix.SYS_FUTEX) // "futex"
//	sysname.Name(100000)         // "syscall_100000"
package sysname

//go:generate go run ./gen
