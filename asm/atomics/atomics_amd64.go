//go:build linux

package atomics

import "github.com/ring3-go/ring3/asm"

//go:noescape
func addLock(p *uint64, delta uint64) (sum uint64)

//go:noescape
func swapLock(p *uint64, value uint64) (before uint64)

//go:noescape
func compareAndSwapLock(p *uint64, old, value uint64) (swapped bool)

//go:noescape
func countLock(p *uint64, n uint64)

// wayEntries has where these four begin.
var wayEntries [4]uintptr

func ways() []Way {
	return []Way{{"LOCK", addLock, swapLock, compareAndSwapLock, countLock}}
}

func wayFunctions() []asm.Function {
	var word uint64
	list := []asm.Function{
		{Name: "addLock", Call: func() { addLock(&word, 1) }},
		{Name: "swapLock", Call: func() { swapLock(&word, 2) }},
		{Name: "compareAndSwapLock", Call: func() { compareAndSwapLock(&word, 2, 3) }},
		{Name: "countLock", Call: func() { countLock(&word, 2) }},
	}
	for i := range list {
		list[i].Entry = wayEntries[i]
	}
	return list
}
