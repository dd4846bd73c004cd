package main

import (
	"testing"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/pagefault"
)

// needEBPF skips a test of what only eBPF shows, where it was tried and is not to be had. It fails
// where the kernel should have it.
func needEBPF(t *testing.T) {
	t.Helper()
	o, err := pagefault.Observe(pagefault.Options{Target: pagefault.Target{Children: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Backend() == pagefault.BackendProcfs {
		for _, r := range o.Refused() {
			if r.Backend == pagefault.BackendPerf { // the one that needs least
				featuretest.Skip(t, features.PerfLink, r.Err)
			}
		}
		t.Fatalf("back end %s, though nothing was refused: %v", o.Backend(), o.Refused())
	}
}
