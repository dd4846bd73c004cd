package mmu_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/ring3-go/ring3/mmu"
)

func ExampleGuarded() {
	_, err := mmu.Guarded{}.Load64(8)
	var fault *mmu.Fault
	if errors.As(err, &fault) {
		fmt.Println(fault)
	}
	// Output: load from 0x8: address not accessible: segmentation fault, nothing mapped (SEGV_MAPERR)
}

func ExampleMapping_ReadAt() {
	m, err := mmu.NewMemfd("example", 2*os.Getpagesize(), mmu.MapOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	m.File().Truncate(0) // somebody else makes the file shorter
	n, err := m.ReadAt(make([]byte, 10), 0)
	fmt.Println(n, errors.Is(err, mmu.ErrFault))
	// Output: 0 true
}

func ExampleGeometry_Split() {
	g, _ := mmu.AMD64(4)
	indices, offset := g.Split(0x7f8a_1234_5678)
	for i, l := range g.Levels {
		fmt.Printf("%s %d, ", l.Name, indices[i])
	}
	fmt.Printf("offset %#x\n", offset)
	// Output: PML4 255, PDPT 40, PD 145, PT 325, offset 0x678
}

func ExampleScan() {
	m, err := mmu.NewAnonymous(64<<20, mmu.MapOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	m.Advise(0, m.Len(), mmu.AdviseNoHuge)
	m.WriteAt([]byte("x"), 32<<20)
	here := mmu.ScanOptions{
		Start: m.Addr(), End: m.Addr() + uintptr(m.Len()),
		All: mmu.CategoryPresent, Return: mmu.CategoryPresent,
	}
	for r, err := range mmu.Scan(0, here) {
		fmt.Println((r.Start-m.Addr())>>20, r.Size() == uint64(os.Getpagesize()), r.Categories, err)
	}
	// Output: 32 true present <nil>
}
