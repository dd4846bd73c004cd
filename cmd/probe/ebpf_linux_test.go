package main

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/pagefault"
)

// needEBPF skips a test of what only eBPF shows, where it was tried and is not to be had. It fails
// where the kernel should have it.
func needEBPF(t *testing.T) {
	t.Helper()
	needBackend(t, pagefault.BackendPerf) // which needs least
}

// needBackend does so for one back end.
func needBackend(t *testing.T, b pagefault.Backend) {
	t.Helper()
	o, err := pagefault.Observe(pagefault.Options{Target: pagefault.Target{Children: true}, Backend: b})
	if err == nil {
		o.Close()
		return
	}
	if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
		t.Fatal(err)
	}
	needs := features.PerfLink
	switch b {
	case pagefault.BackendFentry:
		needs = features.Fentry
	case pagefault.BackendTracepoint:
		needs = features.FaultEntry
	}
	featuretest.Skip(t, needs, err)
}
