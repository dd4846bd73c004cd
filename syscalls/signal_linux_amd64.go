package syscalls

// sigreturn ends a signal handler.
//
//lint:ignore U1000 sigreturnAddress has its address
func sigreturn()

// sigreturnAddress returns where sigreturn is.
func sigreturnAddress() uintptr
