package syscalls

import (
	"errors"
	"fmt"
)

// arm64 has no arch_prctl(2): what of it has a counterpart there is in prctl(2), or a register that programs read.
func archUnsupported(call string) error {
	return fmt.Errorf("%s is of amd64: %w", call, errors.ErrUnsupported)
}

// FSBase is errors.ErrUnsupported on arm64, where TPIDR_EL0 has the thread-local storage.
func FSBase() (uintptr, error) { return 0, archUnsupported("arch_prctl") }

// GSBase is errors.ErrUnsupported on arm64.
func GSBase() (uintptr, error) { return 0, archUnsupported("arch_prctl") }

// CPUIDEnabled is errors.ErrUnsupported on arm64.
func CPUIDEnabled() (bool, error) { return false, archUnsupported("arch_prctl") }

// SetCPUID is errors.ErrUnsupported on arm64.
func SetCPUID(enabled bool) error { return archUnsupported("arch_prctl") }

// XFeaturesSupported is errors.ErrUnsupported on arm64.
func XFeaturesSupported() (XFeatures, error) { return 0, archUnsupported("arch_prctl") }

// XFeaturesPermitted is errors.ErrUnsupported on arm64.
func XFeaturesPermitted() (XFeatures, error) { return 0, archUnsupported("arch_prctl") }

// RequestTileData is errors.ErrUnsupported on arm64.
func RequestTileData() error { return archUnsupported("arch_prctl") }

// GuestXFeaturesPermitted is errors.ErrUnsupported on arm64.
func GuestXFeaturesPermitted() (XFeatures, error) { return 0, archUnsupported("arch_prctl") }

// RequestGuestTileData is errors.ErrUnsupported on arm64.
func RequestGuestTileData() error { return archUnsupported("arch_prctl") }

// ShadowStack is errors.ErrUnsupported on arm64, whose guarded control stack is a matter of prctl(2).
func ShadowStack() (ShadowStackFeatures, error) { return 0, archUnsupported("arch_prctl") }

// LockShadowStack is errors.ErrUnsupported on arm64.
func LockShadowStack(parts ShadowStackFeatures) error { return archUnsupported("arch_prctl") }

// LDT is errors.ErrUnsupported on arm64, which has no segments.
func LDT() ([]SegmentDescriptor, error) { return nil, archUnsupported("modify_ldt") }

// SetLDTEntry is errors.ErrUnsupported on arm64, which has no segments.
func SetLDTEntry(d UserDesc) error { return archUnsupported("modify_ldt") }

// ClearLDTEntry is errors.ErrUnsupported on arm64, which has no segments.
func ClearLDTEntry(entry int) error { return archUnsupported("modify_ldt") }

// SegmentLimit is never ok on arm64, which has no segments.
func SegmentLimit(selector uint16) (limit uint64, ok bool) { return 0, false }
