package hist

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var anyValues = rapid.SliceOfN(anyValue, 0, 200)

func record(values ...uint64) *Hist {
	h := new(Hist)
	for _, v := range values {
		h.Record(v)
	}
	return h
}

func TestRecordCountsExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := anyValues.Draw(t, "values")
		got := record(values...)

		var want Hist
		lows := buckets()
		for _, v := range values {
			above := slices.IndexFunc(lows, func(low uint64) bool { return low > v })
			if above < 0 {
				above = Buckets
			}
			want.Counts[above-1]++
			want.Sum += v
		}
		want.Count = uint64(len(values))
		if len(values) > 0 {
			want.Max = slices.Max(values)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestMergeIsRecordingEverythingInOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(anyValues, 0, 5).Draw(t, "parts")
		var got Hist
		for _, part := range parts {
			got.Merge(record(part...))
		}
		if diff := cmp.Diff(record(slices.Concat(parts...)...), &got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestMergeCountsWhatTheKernelLeftUncounted(t *testing.T) {
	cpu := record(3, 500, 70_000)
	cpu.Count = 0
	var h Hist
	h.Merge(cpu)
	h.Merge(cpu)
	if h.Count != 6 {
		t.Errorf("Count = %d; want 6", h.Count)
	}
}

func TestSubUndoesMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, during := anyValues.Draw(t, "before"), anyValues.Draw(t, "during")
		prev, want := record(before...), record(during...)
		got := record(slices.Concat(before, during)...)
		total := *got
		if !got.Sub(prev) {
			t.Fatalf("Sub says that the histogram did not grow")
		}

		switch {
		case want.Max > prev.Max:
			if got.Max != want.Max {
				t.Fatalf("the maximum grew to %d, got %d", want.Max, got.Max)
			}
		case got.Max < want.Max || got.Max > total.Max:
			t.Fatalf("Max = %d; want between %d and %d", got.Max, want.Max, total.Max)
		case want.Max < 15<<38 && float64(got.Max-want.Max) > ErrorBound*float64(want.Max):
			t.Fatalf("Max = %d; too far above %d", got.Max, want.Max)
		}
		got.Max = want.Max
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestMaxOfAnInterval(t *testing.T) {
	for _, tt := range []struct {
		name           string
		before, during []uint64
		want           uint64
	}{
		{"exact when it grew", []uint64{1000}, []uint64{5, 2001}, 2001},
		{"exact when it is the first", nil, []uint64{2001}, 2001},
		{"top of the highest bucket in use", []uint64{5000}, []uint64{5, 1000}, 1023},
		{"no more than the maximum of all time", []uint64{1001}, []uint64{1000}, 1001},
		{"maximum of all time for the open-ended bucket", []uint64{1 << 60}, []uint64{1 << 50}, 1 << 60},
		{"0 when nothing happened", []uint64{1000}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := record(slices.Concat(tt.before, tt.during)...)
			h.Sub(record(tt.before...))
			if h.Max != tt.want {
				t.Errorf("Max = %d; want %d", h.Max, tt.want)
			}
		})
	}
}

func TestSubKeepsASumThatWrapped(t *testing.T) {
	prev := record(math.MaxUint64 - 1)
	h := record(math.MaxUint64-1, 10)
	if !h.Sub(prev) || h.Sum != 10 {
		t.Errorf("Sum = %d; want 10", h.Sum)
	}
}

func TestSubReportsWhatIsNoEarlierSnapshot(t *testing.T) {
	for _, tt := range []struct {
		name      string
		prev, now *Hist
		want      bool
	}{
		{"grown", record(5), record(5, 5), true},
		{"unchanged", record(5), record(5), true},
		{"a count shrank", record(5, 5, 9), record(5, 9, 9), false},
		{"the maximum shrank", &Hist{Max: 9}, &Hist{Max: 8}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.now.Sub(tt.prev); got != tt.want {
				t.Errorf("Sub = %t; want %t", got, tt.want)
			}
			for i, n := range tt.now.Counts {
				if n > 2 {
					t.Errorf("bucket %d wrapped to %d", i, n)
				}
			}
		})
	}
}

func TestSubOfItselfIsEmpty(t *testing.T) {
	h := record(1, 2000, 3_000_000)
	if ok := h.Sub(h); !ok || *h != (Hist{}) {
		t.Errorf("Sub = %t, leaving count %d, sum %d, max %d", ok, h.Count, h.Sum, h.Max)
	}
}

func TestQuantileIsWithinItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(anyValue, 1, 300).Draw(t, "values")
		q := rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{0, 0.5, 0.9, 0.99, 0.999, 1})).Draw(t, "q")
		checkQuantile(t, values, q)
	})
}

func FuzzQuantile(f *testing.F) {
	f.Add([]byte{}, 0.5)
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255}, 0.99)
	f.Add([]byte("one octetanother."), math.NaN())
	f.Fuzz(func(t *testing.T, data []byte, q float64) {
		var values []uint64
		for ; len(data) >= 8; data = data[8:] {
			v := binary.BigEndian.Uint64(data)
			values = append(values, v>>(v&63)) // so that all magnitudes occur
		}
		checkQuantile(t, values, q)
	})
}

// checkQuantile fails when the q-quantile of the histogram of values is not
// within the stated bound of the q-quantile of the sorted values.
func checkQuantile(t interface{ Fatalf(string, ...any) }, values []uint64, q float64) {
	h := record(values...)
	got := h.Quantile(q)
	if len(values) == 0 {
		if got != 0 {
			t.Fatalf("Quantile(%v) of nothing = %d", q, got)
		}
		return
	}
	sorted := slices.Sorted(slices.Values(values))
	within := min(max(q, 0), 1)
	if math.IsNaN(q) {
		within = 1
	}
	rank := max(int(math.Ceil(within*float64(len(sorted)))), 1)
	truth, largest := sorted[rank-1], sorted[len(sorted)-1]

	if got < truth || got > largest {
		t.Fatalf("Quantile(%v) = %d; want at least %d, at most the maximum %d", q, got, truth, largest)
	}
	if truth >= 15<<38 && largest >= 1<<42 {
		if got != largest {
			t.Fatalf("Quantile(%v) = %d in the open-ended bucket; want %d", q, got, largest)
		}
	} else if (got-truth)*8 > truth { // both below 2^42, so nothing overflows
		t.Fatalf("Quantile(%v) = %d; more than an eighth above %d", q, got, truth)
	}
}

func TestQuantilesOfSmallValuesAreExact(t *testing.T) {
	h := record(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	for q, want := range map[float64]uint64{-1: 0, 0: 0, 0.1: 0, 0.11: 1, 0.5: 4, 0.9: 8, 0.99: 9, 1: 9, 2: 9} {
		if got := h.Quantile(q); got != want {
			t.Errorf("Quantile(%v) = %d; want %d", q, got, want)
		}
	}
}

func TestQuantileSurvivesTheLargestCounts(t *testing.T) {
	h := &Hist{Max: 9}
	h.Counts[3] = math.MaxUint64 - 1
	h.Counts[9] = 1
	for q, want := range map[float64]uint64{0: 3, 0.5: 3, math.Nextafter(1, 0): 3, 1: 9} {
		if got := h.Quantile(q); got != want {
			t.Errorf("Quantile(%v) = %d; want %d", q, got, want)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	var values [1024]uint64
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range values {
		values[i] = rng.Uint64() >> (rng.Uint64() & 63)
	}
	var h Hist
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.Record(values[i%len(values)])
	}
}

func BenchmarkQuantile(b *testing.B) {
	var h Hist
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		h.Record(uint64(rng.ExpFloat64() * 50_000))
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Quantile(0.99)
	}
}
