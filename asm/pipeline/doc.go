// Package pipeline is the lesson on what the processor does with instructions beside executing them one after
// the other, seen from outside by nothing but time.
//
// The same number of multiplications takes a third of the time in four registers as in one: instructions run
// when what they need is there, not when it is their turn. The same comparisons take a multiple of the time
// on random bytes as on the same bytes sorted: it runs instructions before it knows that it must. A value
// that is stored and loaded again comes back in a few cycles, and in many where the load does not fit the
// store: a store is not in the cache yet when the next instruction runs.
//
// Look for the ratios; a cycle is longer or shorter from machine to machine and from minute to minute. Results
// are always right, which the tests check against twins in Go: all of this is invisible, but for time. Needs
// Linux, no privilege.
//
// Sources: Intel 64 and IA-32 Architectures Optimization Reference Manual (store forwarding); AMD Software
// Optimization Guide for family 19h; Fog, The microarchitecture of Intel, AMD and VIA CPUs; Hennessy and Patterson,
// Computer Architecture, chapter 3.
package pipeline
