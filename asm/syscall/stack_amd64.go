//go:build linux

package syscall

import "unsafe"

// signalStack is not needed on a processor with thread-local storage for g.
func signalStack() (unsafe.Pointer, error) { return nil, nil }
