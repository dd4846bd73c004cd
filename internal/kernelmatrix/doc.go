// Package kernelmatrix boots real kernels in an emulator and runs programs and
// package tests inside them. The command is in directory cmd, and "make
// test-kernels" runs it over every package; package guest is the /init of the
// machines.
//
// The kernels are Debian's cloud kernels, 6.1 and 6.12, for amd64 and arm64.
// They are fetched once with a private configuration of apt and kept in a
// cache; after that nothing needs the network. A machine is QEMU without KVM
// and an initramfs that holds everything: init, the module's tree and the test
// binaries, built without cgo. Temporary files are on a disk with ext4, which
// faults, swaps and polls as one in memory does not; it lives as long as the
// machine. There is no shell and no go command.
//
// The guest sends the output of each test on the serial console, in numbered
// frames among the kernel's own messages. The host takes the results out of
// them. A test binary that hangs is ended by its own timeout, or by the guest;
// a machine that falls silent is ended by the host; and the emulator dies with
// the process that started it, whatever kills that.
//
// It needs Linux, the go command, mkfs.ext4, qemu-system-x86_64 and qemu-system-aarch64,
// and to fetch kernels apt and the Debian archive's keys; it needs no
// privilege. It is not for timing: an emulated processor is ten times slower
// and not evenly so.
package kernelmatrix
