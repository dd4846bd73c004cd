//go:build linux

package atomics

import (
	"golang.org/x/sys/cpu"

	"github.com/ring3-go/ring3/asm"
)

//go:noescape
func addLLSC(p *uint64, delta uint64) (sum uint64)

//go:noescape
func swapLLSC(p *uint64, value uint64) (before uint64)

//go:noescape
func compareAndSwapLLSC(p *uint64, old, value uint64) (swapped bool)

//go:noescape
func countLLSC(p *uint64, n uint64)

//go:noescape
func addLSE(p *uint64, delta uint64) (sum uint64)

//go:noescape
func swapLSE(p *uint64, value uint64) (before uint64)

//go:noescape
func compareAndSwapLSE(p *uint64, old, value uint64) (swapped bool)

//go:noescape
func countLSE(p *uint64, n uint64)

// wayEntries has where these eight begin.
var wayEntries [8]uintptr

// hasLSE is HWCAP_ATOMICS: the kernel says so where every processor has them. Elsewhere they are undefined
// instructions, and end the program.
func hasLSE() bool { return cpu.ARM64.HasATOMICS }

func ways() []Way {
	list := []Way{{"LL/SC", addLLSC, swapLLSC, compareAndSwapLLSC, countLLSC}}
	if hasLSE() {
		list = append(list, Way{"LSE", addLSE, swapLSE, compareAndSwapLSE, countLSE})
	}
	return list
}

func wayFunctions() []asm.Function {
	var word uint64
	list := []asm.Function{
		{Name: "addLLSC", Call: func() { addLLSC(&word, 1) }},
		{Name: "swapLLSC", Call: func() { swapLLSC(&word, 2) }},
		{Name: "compareAndSwapLLSC", Call: func() { compareAndSwapLLSC(&word, 2, 3) }},
		{Name: "countLLSC", Call: func() { countLLSC(&word, 2) }},
		{Name: "addLSE", Call: func() { addLSE(&word, 1) }},
		{Name: "swapLSE", Call: func() { swapLSE(&word, 2) }},
		{Name: "compareAndSwapLSE", Call: func() { compareAndSwapLSE(&word, 2, 3) }},
		{Name: "countLSE", Call: func() { countLSE(&word, 2) }},
	}
	for i := range list {
		list[i].Entry = wayEntries[i]
	}
	if !hasLSE() {
		list = list[:4]
	}
	return list
}
