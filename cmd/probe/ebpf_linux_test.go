package main

import (
	"testing"

	"github.com/ring3-go/ring3/pagefault"
)

// needEBPF skips a test of what only eBPF shows, where it was tried and is not to be had.
func needEBPF(t *testing.T) {
	t.Helper()
	o, err := pagefault.Observe(pagefault.Options{Target: pagefault.Target{Children: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Backend() == pagefault.BackendProcfs {
		t.Skipf("tried: %v", o.Refused())
	}
}
