package hist

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// buckets lists the bounds of every bucket without the formula: lay them side by
// side from 0 on, double the width after every eighth, never before the second.
func buckets() (lows []uint64) {
	low, width := uint64(0), uint64(1)
	for i := range Buckets {
		if i%8 == 0 && i >= 16 {
			width *= 2
		}
		lows = append(lows, low)
		low += width
	}
	return lows
}

// anyValue draws a value of any magnitude, each octave as likely as another.
var anyValue = rapid.Custom(func(t *rapid.T) uint64 {
	return rapid.Uint64Range(0, math.MaxUint64).Draw(t, "bits") >> rapid.IntRange(0, 63).Draw(t, "shift")
})

func TestIndexAtTheEdges(t *testing.T) {
	const last = 15 << 38
	for _, tt := range []struct {
		v    uint64
		want int
	}{
		{0, 0}, {1, 1}, {7, 7}, // one value, one bucket
		{8, 8}, {9, 9}, {15, 15}, // the first octave by formula
		{16, 16}, {17, 16}, {18, 17}, {31, 23}, // two values a bucket
		{32, 24}, {63, 31}, {64, 32}, {71, 32}, {72, 33},
		{1000, 63}, {1023, 63}, {1024, 64}, {1151, 64}, {1152, 65},
		{1<<32 - 1, 239}, {1 << 32, 240},
		{last - 1, 318}, {last, 319}, {1<<42 - 1, 319}, // the last bucket as if closed
		{1 << 42, 319}, {1 << 63, 319}, {math.MaxUint64, 319}, // and beyond
	} {
		if got := Index(tt.v); got != tt.want {
			t.Errorf("Index(%d) = %d; want %d", tt.v, got, tt.want)
		}
	}
}

func TestBoundsTileTheNumberLine(t *testing.T) {
	lows := buckets()
	for i, want := range lows {
		lo, hi := Bounds(i)
		wantHi := uint64(math.MaxUint64)
		if i+1 < Buckets {
			wantHi = lows[i+1]
		}
		if lo != want || hi != wantHi {
			t.Errorf("Bounds(%d) = %d, %d; want %d, %d", i, lo, hi, want, wantHi)
		}
	}
}

func TestBoundsOutsideGiveTheNearestBucket(t *testing.T) {
	for _, tt := range []struct{ i, near int }{{-1, 0}, {math.MinInt, 0}, {Buckets, Buckets - 1}, {math.MaxInt, Buckets - 1}} {
		lo, hi := Bounds(tt.i)
		wantLo, wantHi := Bounds(tt.near)
		if lo != wantLo || hi != wantHi {
			t.Errorf("Bounds(%d) = %d, %d; want those of %d", tt.i, lo, hi, tt.near)
		}
	}
}

func TestNoBucketIsWiderThanTheErrorBoundAllows(t *testing.T) {
	for i := 1; i < Buckets-1; i++ {
		lo, hi := Bounds(i)
		if width := float64(hi - 1 - lo); width > ErrorBound*float64(lo) {
			t.Errorf("bucket %d, %d to %d: %.4f of its smallest value", i, lo, hi-1, width/float64(lo))
		}
	}
}

func TestEveryBucketStaysWithinAnOctave(t *testing.T) {
	lows := buckets()
	for bit := range 42 {
		power := uint64(1) << bit
		if i := Index(power); lows[i] != power {
			t.Errorf("2^%d lies inside bucket %d, which starts at %d", bit, i, lows[i])
		}
	}
}

func TestIndexIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyValue.Draw(t, "a"), anyValue.Draw(t, "b")
		if a, b = min(a, b), max(a, b); Index(a) > Index(b) {
			t.Fatalf("Index(%d) = %d, Index(%d) = %d", a, Index(a), b, Index(b))
		}
	})
}

func TestBoundsInvertIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkIndex(t, anyValue.Draw(t, "v")) })
}

func FuzzIndex(f *testing.F) {
	for bit := range 64 {
		f.Add(uint64(1) << bit)
		f.Add(uint64(1)<<bit - 1)
	}
	f.Add(uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, v uint64) { checkIndex(t, v) })
}

// checkIndex fails when v is not within the bounds of its bucket, or when those
// do not belong to that bucket.
func checkIndex(t interface{ Fatalf(string, ...any) }, v uint64) {
	i := Index(v)
	if i < 0 || i >= Buckets {
		t.Fatalf("Index(%d) = %d", v, i)
	}
	lo, hi := Bounds(i)
	if v < lo || v >= hi && i < Buckets-1 {
		t.Fatalf("%d is in bucket %d, which holds %d to %d", v, i, lo, hi)
	}
	if Index(lo) != i || Index(hi-1) != i {
		t.Fatalf("bounds of bucket %d, %d and %d, are in buckets %d and %d", i, lo, hi-1, Index(lo), Index(hi-1))
	}
}

func ExampleBounds() {
	i := Index(1500)
	lo, hi := Bounds(i)
	fmt.Printf("1500 is in bucket %d: %d <= v < %d\n", i, lo, hi)
	// Output: 1500 is in bucket 67: 1408 <= v < 1536
}
