//go:build linux

package tsc

import (
	"fmt"
	"io"

	"github.com/ring3-go/ring3/asm"
)

func frequency() (hz uint64)

var frequencyEntry uintptr

// What stands before the second reading.
const (
	fenceName = "reading behind ISB"
	drainName = "reading behind DSB and ISB"
)

// Frequency returns the rate of the counter in ticks a second, as firmware has stated it.
func Frequency() (hz uint64, from string) { return frequency(), "CNTFRQ_EL0" }

// Invariant reports whether the counter runs at one rate. The architecture demands it.
func Invariant() bool { return true }

func more() []asm.Function {
	return []asm.Function{{Name: "frequency", Entry: frequencyEntry, Call: func() { frequency() }}}
}

// describe prints what is known without measuring.
func describe(w io.Writer) {
	hz, from := Frequency()
	fmt.Fprintf(w, "virtual counter, invariant by the architecture\nstated by %s: %.3f MHz\n", from, float64(hz)/1e6)
}
