package tsc

import (
	"testing"

	"github.com/ring3-go/ring3/asm"
)

func TestNowPNamesTheCPU(t *testing.T) {
	if !HasNowP() {
		t.Skip("tried: no RDTSCP in CPUID")
	}
	cpus, err := asm.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	for _, cpu := range cpus {
		unpin, err := asm.Pin(cpu)
		if err != nil {
			t.Fatal(err)
		}
		before := Ordered()
		ticks, aux := NowP()
		after := Ordered()
		unpin()
		if int(aux&0xfff) != cpu || ticks < before || ticks > after {
			t.Errorf("CPU %d: %d on %d, between %d and %d", cpu, ticks, aux&0xfff, before, after)
		}
	}
}
