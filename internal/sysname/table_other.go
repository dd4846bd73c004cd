//go:build !amd64 && !arm64

package sysname

// names is empty: there is no table for this architecture.
var names [0]string
