//go:build race && linux && (amd64 || arm64)

package atomics

import (
	"runtime"
	"unsafe"
)

// The race detector does not see what assembly does. It is told instead: all that came before a release
// happened before what follows the next acquire of the same address.

func raceAcquire(p unsafe.Pointer) { runtime.RaceAcquire(p) }
func raceRelease(p unsafe.Pointer) { runtime.RaceReleaseMerge(p) }
