//go:build !linux || !(amd64 || arm64)

package ctxswitch

// An Observer counts context switches; it exists on Linux (amd64, arm64) only.
type Observer struct{}

var errLinuxOnly = &NotSupportedError{Feature: "observing context switches", Since: "Linux on amd64 or arm64"}

// Observe fails: Linux only.
func Observe(Options) (*Observer, error) { return nil, errLinuxOnly }

// Backend is empty.
func (*Observer) Backend() Backend { return "" }

// Refused is empty.
func (*Observer) Refused() []Refusal { return nil }

// Snapshot fails: Linux only.
func (*Observer) Snapshot() (*Snapshot, error) { return nil, errLinuxOnly }

// Close does nothing.
func (*Observer) Close() error { return nil }
