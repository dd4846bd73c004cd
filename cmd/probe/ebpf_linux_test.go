package main

import (
	"errors"
	"testing"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
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
		var errs []error
		for _, r := range o.Refused() {
			errs = append(errs, r.Err)
		}
		featuretest.Skip(t, features.PerfLink, errors.Join(errs...))
	}
}
