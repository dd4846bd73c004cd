package syscalls

// sigreturnAddress is nothing on arm64, where handlers return through the vDSO.
func sigreturnAddress() uintptr { return 0 }
