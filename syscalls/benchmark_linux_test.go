package syscalls

import (
	"testing"

	"golang.org/x/sys/unix"
)

func BenchmarkGetppid(b *testing.B) {
	b.Run("RawSyscall", func(b *testing.B) {
		for b.Loop() {
			RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		}
	})
	b.Run("RawSyscall6", func(b *testing.B) {
		for b.Loop() {
			RawSyscall6(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0)
		}
	})
	b.Run("Syscall6", func(b *testing.B) {
		for b.Loop() {
			Syscall6(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0)
		}
	})
	b.Run("x-sys-RawSyscall", func(b *testing.B) {
		for b.Loop() {
			unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		}
	})
	b.Run("x-sys-RawSyscall6", func(b *testing.B) {
		for b.Loop() {
			unix.RawSyscall6(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0)
		}
	})
	b.Run("x-sys-Syscall6", func(b *testing.B) {
		for b.Loop() {
			unix.Syscall6(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0)
		}
	})
}
