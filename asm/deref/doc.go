// Package deref is the first lesson: what a pointer is to the processor, and what happens where it points at
// nothing.
//
// Look for three things. A dereference is one instruction, and what makes a number an address is that
// instruction, not the number. An address is checked twice: for its form, by the processor alone, and for
// what is there, by the page tables, which the kernel has written; 1111111111111111 fails the first check on
// a machine with 48-bit addresses, so the page tables are never asked and no address is reported. And what
// fails is not lost: the kernel sends a signal, the Go runtime makes a panic of it, and [TryLoad64] makes an
// error of that.
//
// Linux on amd64 and arm64; no privilege. All functions may be called from any goroutine.
//
// Sources: Intel SDM volume 1, 3.3.7.1 (canonical addresses) and volume 3, 5.7; Arm ARM D8.2; sigaction(2);
// [runtime/debug.SetPanicOnFault].
package deref
