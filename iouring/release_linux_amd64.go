package iouring

// storeRelease stores v after everything that was read and written before it: other processors see it last. Any
// store of this processor's is one, but sync/atomic has stores that are in one order with all others too, for which
// it locks the bus; the head of a queue needs that no more than the kernel's own.
//
//go:noescape
func storeRelease(p *uint32, v uint32)
