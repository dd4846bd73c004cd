//go:build !amd64

package iouring

import "sync/atomic"

// storeRelease stores v after everything that was read and written before it. On arm64 that is STLR, which
// sync/atomic uses too.
func storeRelease(p *uint32, v uint32) { atomic.StoreUint32(p, v) }
