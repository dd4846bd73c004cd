package syscalls

// sigreturn ends a signal handler.
func sigreturn()

// sigreturnAddress returns where sigreturn is.
func sigreturnAddress() uintptr
