//go:build linux

package main

import (
	"runtime"
	"slices"
	"testing"
)

func TestMeasuredTargetsAreThoseOfTheirBenchmarks(t *testing.T) {
	all := benchmarks()
	for _, g := range goals() {
		if g.benchmark == "" {
			continue
		}
		i := slices.IndexFunc(all, func(b Benchmark) bool { return b.Name == g.benchmark })
		if i < 0 {
			t.Errorf("%s: no benchmark %q", g.what, g.benchmark)
			continue
		}
		if runtime.GOARCH != "amd64" && g.benchmark == "observer-fault" {
			continue // against another probe there
		}
		target := g.ratio
		if g.atLeast {
			target = 1 / g.ratio // benchmarks measure times
		}
		if !slices.ContainsFunc(all[i].References, func(r Reference) bool { return r.Label == g.reference && r.Target == target }) {
			t.Errorf("%s: benchmark %s has no reference %q with target %.2f", g.what, g.benchmark, g.reference, target)
		}
	}
}
