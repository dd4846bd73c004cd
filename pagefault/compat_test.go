//go:build linux && (amd64 || arm64)

package pagefault

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// TestExecOf32BitPrograms: their system calls have numbers of their own.
func TestExecOf32BitPrograms(t *testing.T) {
	program := build32(t)
	eachEBPF(t, func(t *testing.T, b Backend) {
		o := observe(t, Options{Target: Target{Children: true}, Backend: b})
		if out, err := exec.Command(program, "5").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if s := snapshot(t, o); s.Unseen != 0 || s.Exec < 6 || s.Lost.Events() != 0 {
			t.Errorf("%d unseen, %d in exec, lost %v; want none, 6 at least, none", s.Unseen, s.Exec, s.Lost)
		}
	})
}

// A program that takes one from the digit that is its argument and executes itself again, until that is 0. On the
// stack it finds the number of arguments, its own name and the digit.
var (
	code386 = []byte{
		0x8b, 0x44, 0x24, 0x08, // mov 8(%esp), %eax
		0x80, 0x38, '0', // cmpb $'0', (%eax)
		0x74, 23, // je ended
		0xfe, 0x08, // decb (%eax)
		0x8b, 0x5c, 0x24, 0x04, // mov 4(%esp), %ebx
		0x8d, 0x4c, 0x24, 0x04, // lea 4(%esp), %ecx
		0x31, 0xd2, // xor %edx, %edx
		0xb8, 11, 0, 0, 0, // mov $__NR_execve, %eax
		0xcd, 0x80, // int $0x80
		0x89, 0xc3, // mov %eax, %ebx
		0xeb, 0x02, // jmp exit
		0x31, 0xdb, // ended: xor %ebx, %ebx
		0xb8, 1, 0, 0, 0, // exit: mov $__NR_exit, %eax
		0xcd, 0x80, // int $0x80
	}
	codeARM = []uint32{
		0xe59d0008, // ldr r0, [sp, #8]
		0xe5d01000, // ldrb r1, [r0]
		0xe3510000 | '0',
		0x0a000007, // beq ended
		0xe2411001, // sub r1, r1, #1
		0xe5c01000, // strb r1, [r0]
		0xe59d0004, // ldr r0, [sp, #4]
		0xe28d1004, // add r1, sp, #4
		0xe3a02000, // mov r2, #0
		0xe3a0700b, // mov r7, #__NR_execve
		0xef000000, // svc #0
		0xea000000, // b exit
		0xe3a00000, // ended: mov r0, #0
		0xe3a07001, // exit: mov r7, #__NR_exit
		0xef000000, // svc #0
	}
)

// build32 writes that program for the 32-bit side of this processor, or skips where the kernel runs no such.
func build32(t *testing.T) string {
	t.Helper()
	machine, code := elf.EM_386, code386
	if runtime.GOARCH == "arm64" {
		machine, code = elf.EM_ARM, nil
		for _, word := range codeARM {
			code = binary.LittleEndian.AppendUint32(code, word)
		}
	}
	const base, headers = 0x10000, 52 + 32
	size := uint32(headers + len(code))
	header := elf.Header32{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Entry: base + headers, Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1,
	}
	if machine == elf.EM_ARM {
		header.Flags = 5 << 24 // EABI version 5
	}
	segment := elf.Prog32{
		Type: uint32(elf.PT_LOAD), Vaddr: base, Filesz: size, Memsz: size, Flags: uint32(elf.PF_R | elf.PF_X), Align: base,
	}
	var image bytes.Buffer
	for _, part := range []any{header, segment, code} {
		if err := binary.Write(&image, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, image.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "0").CombinedOutput(); err != nil {
		t.Skipf("tried: run a 32-bit program: %v: %s", err, out)
	}
	return program
}
