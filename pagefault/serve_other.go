//go:build !linux || !(amd64 || arm64)

package pagefault

import "net"

// A Region is memory whose pages come from a handler; it exists on Linux (amd64, arm64) only.
type Region struct{}

var errServeLinuxOnly = &NotSupportedError{Feature: "serving page faults", Since: "Linux on amd64 or arm64"}

// Serve fails: Linux only.
func Serve(ServeOptions) (*Region, error) { return nil, errServeLinuxOnly }

// ServeRemote closes the connection and fails: Linux only.
func ServeRemote(conn *net.UnixConn, _ Handler, _ int) error {
	conn.Close()
	return errServeLinuxOnly
}

// ReadAt fails: Linux only.
func (*Region) ReadAt([]byte, int64) (int, error) { return 0, errServeLinuxOnly }

// WriteAt fails: Linux only.
func (*Region) WriteAt([]byte, int64) (int, error) { return 0, errServeLinuxOnly }

// Use fails: Linux only.
func (*Region) Use(int64, int, Access, func([]byte) error) error { return errServeLinuxOnly }

// Memory fails: Linux only.
func (*Region) Memory() ([]byte, error) { return nil, errServeLinuxOnly }

// Drop fails: Linux only.
func (*Region) Drop(int64, int64) error { return errServeLinuxOnly }

// Evict fails: Linux only.
func (*Region) Evict(int64, int64) error { return errServeLinuxOnly }

// Protect fails: Linux only.
func (*Region) Protect(int64, int64) error { return errServeLinuxOnly }

// Size is 0.
func (*Region) Size() int64 { return 0 }

// UserModeOnly is false.
func (*Region) UserModeOnly() bool { return false }

// Close does nothing.
func (*Region) Close() error { return nil }
