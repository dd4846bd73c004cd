//go:build linux

package memory

// flushes returns what this processor can do about a line, plain addition first.
func flushes() []flush {
	return []flush{
		{"nothing", "", addOnly},
		{"DC CIVAC", "written back and dropped", addFlush},
		{"DC CVAC", "written back, stays", addWriteBack},
	}
}
