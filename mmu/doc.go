// Package mmu shows address spaces and works in them: what a process has mapped and how much of it is in memory
// ([Maps], [Rollup]), what its page tables hold for an address ([Translate], [Scan]), what the kernel knows of a
// physical frame ([Frames], [Node]), how an address is split into table indices ([Geometry]), memory that the
// process maps itself ([Mapping]), and accesses that survive any address ([Guarded]).
//
// It is not for following page faults, which package pagefault does, and it changes nothing in other processes but
// the marks that [ClearReferenced] and [ClearSoftDirty] are for.
//
// Linux only, amd64 and arm64; [Geometry] is everywhere. What needs a newer kernel than 5.14 says so, and tries: an
// error then matches [errors.ErrUnsupported]. To read another process takes the right to trace it. Numbers of frames
// are for CAP_SYS_ADMIN: without it a [Frame] is hidden, and never 0. Errors of processes that end or change while
// they are read come with what was read: [ErrEnded], [ErrChanged].
//
// Functions keep nothing, and types are safe for concurrent use, where they do not say otherwise. The one thing that
// lasts is the signal handler of [Guarded].
//
//	vmas, err := mmu.Maps(pid)
//	for _, v := range vmas {
//		fmt.Println(v.Path, v.Size(), v.Detail.Rss)
//	}
//	page, err := mmu.Translate(pid, vmas[0].Start)
//	fmt.Println(page.Present, page.Frame) // true hidden
package mmu
