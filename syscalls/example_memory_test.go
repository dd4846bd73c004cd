//go:build linux

package syscalls_test

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A policy for a mapping: its pages come from one of the nodes that this thread may use. On a machine of one
// node it prints
//
//	MPOL_BIND on 0
func ExampleMbind() {
	var allowed syscalls.NodeMask
	if _, err := syscalls.GetMempolicy(&allowed, 0, unix.MPOL_F_MEMS_ALLOWED); err != nil {
		fmt.Println(err)
		return
	}
	nodes, err := syscalls.NodesOf(allowed.Nodes()[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	memory, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(memory)
	addr := uintptr(unsafe.Pointer(&memory[0]))
	if err := syscalls.Mbind(addr, uintptr(len(memory)), unix.MPOL_BIND, &nodes, 0); err != nil {
		fmt.Println(err)
		return
	}
	var got syscalls.NodeMask
	policy, err := syscalls.GetMempolicy(&got, addr, unix.MPOL_F_ADDR)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy, "on", got.String())
}

func ExampleNodeMask_String() {
	nodes, err := syscalls.NodesOf(0, 1, 2, 3, 8)
	fmt.Println(nodes.String(), err)
	_, err = syscalls.NodesOf(1024)
	fmt.Println(err)
	// Output:
	// 0-3,8 <nil>
	// node 1024: invalid argument
}

// A page that this thread cannot write while the key forbids it, and that mprotect(2) knows nothing of. On an
// emulated processor with keys and Linux 6.12 it prints
//
//	key 1 forbids PKEY_DISABLE_WRITE: bad address
//
// and without keys "pkey_alloc: invalid argument".
func ExamplePkeyMprotect() {
	runtime.LockOSThread() // what a key forbids is a matter of the thread
	defer runtime.UnlockOSThread()
	const rights = syscalls.PKEY_DISABLE_WRITE
	key, err := syscalls.PkeyAlloc(rights)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer syscalls.PkeyFree(key)
	memory, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(memory)
	addr := uintptr(unsafe.Pointer(&memory[0]))
	if err := syscalls.PkeyMprotect(addr, uintptr(len(memory)), unix.PROT_READ|unix.PROT_WRITE, key); err != nil {
		fmt.Println(err)
		return
	}
	// The program's own write would be a SIGSEGV; one of the kernel's in its name is an error.
	_, err = unix.Getrandom(memory[:8], 0)
	fmt.Printf("key %d forbids %v: %v\n", key, rights, err)
}
