//go:build linux

package memory

//go:noescape
func addFlushOpt(p *uint64, n int)

// cpuid7 is the highest leaf of CPUID, and EBX of leaf 7.
func cpuid7() (maxLeaf, ebx uint32)

// flushes returns what this processor can do about a line, plain addition first.
func flushes() []flush {
	list := []flush{
		{"nothing", "", addOnly},
		{"CLFLUSH", "written back and dropped", addFlush},
	}
	// Intel SDM, volume 2, CPUID, leaf 7, EBX.
	_, ebx := cpuid7()
	if ebx&(1<<23) != 0 {
		list = append(list, flush{"CLFLUSHOPT", "the same, in no order", addFlushOpt})
	}
	if ebx&(1<<24) != 0 {
		list = append(list, flush{"CLWB", "written back, may stay", addWriteBack})
	}
	return list
}
