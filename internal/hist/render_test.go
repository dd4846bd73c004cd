package hist

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// times records v n times.
func (h *Hist) times(n int, v uint64) *Hist {
	for range n {
		h.Record(v)
	}
	return h
}

func render(t interface{ Fatal(...any) }, h *Hist, unit string, scale uint64) string {
	var b strings.Builder
	if err := h.Render(&b, unit, scale); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The first two are what print_log2_hist of bcc's libbpf-tools writes for the
// same counts; the second from its first row in use on.
func TestRenderReadsLikeBCC(t *testing.T) {
	for _, tt := range []struct {
		name  string
		h     *Hist
		unit  string
		scale uint64
		want  string
	}{
		{"microseconds", new(Hist).times(3, 999).times(17, 3_999).times(120, 5_000).times(801, 8_200).times(1599, 20_000).
			times(640, 33_000).times(12, 255_000).times(1, 400_000), "usecs", 1000, `
     usecs               : count    distribution
         0 -> 1          : 3        |                                        |
         2 -> 3          : 17       |                                        |
         4 -> 7          : 120      |***                                     |
         8 -> 15         : 801      |********************                    |
        16 -> 31         : 1599     |****************************************|
        32 -> 63         : 640      |****************                        |
        64 -> 127        : 0        |                                        |
       128 -> 255        : 12       |                                        |
       256 -> 511        : 1        |                                        |
`},
		{"bounds of more than 10 digits", new(Hist).times(3, 5e9).times(5, 9e9).times(2, 20e9), "nsecs", 1, `
               nsecs                         : count    distribution
          4294967296 -> 8589934591           : 3        |************        |
          8589934592 -> 17179869183          : 5        |********************|
         17179869184 -> 34359738367          : 2        |********            |
`},
		{"one row, scale 0", record(0, 1, 1), "nsecs", 0, `
     nsecs               : count    distribution
         0 -> 1          : 3        |****************************************|
`},
		{"bounds of 10 digits", record(1 << 32), "nsecs", 1, `
     nsecs               : count    distribution
4294967296 -> 8589934591 : 1        |****************************************|
`},
		{"counts of 10 digits", &Hist{Counts: [Buckets]uint64{2: 1e10 - 1, 4: 5e9}, Max: 4}, "nsecs", 1, `
     nsecs               : count      distribution
         2 -> 3          : 9999999999 |****************************************|
         4 -> 7          : 5000000000 |********************                    |
`},
		{"the largest counts", &Hist{Counts: [Buckets]uint64{2: math.MaxUint64, 4: 1 << 63}, Max: 4}, "nsecs", 1, `
     nsecs               : count                distribution
         2 -> 3          : 18446744073709551615 |******************************|
         4 -> 7          : 9223372036854775808  |***************               |
`},
		{"the open-ended bucket", record(1<<40, 1<<50), "nsecs", 1, `
               nsecs                         : count    distribution
       1099511627776 -> 2199023255551        : 1        |********************|
       2199023255552 -> 1125899906842624     : 1        |********************|
`},
		{"the open-ended bucket, scaled", record(1 << 50), "secs", 1e9, `
     secs                : count    distribution
      4096 -> 1125899    : 1        |****************************************|
`},
		{"nothing", new(Hist), "nsecs", 1, "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := render(t, tt.h, tt.unit, tt.scale); got != tt.want[1:] {
				t.Errorf("got:\n%swant:\n%s", got, tt.want[1:])
			}
		})
	}
}

// A row as a reader takes it.
type row struct {
	lo, hi, count uint64
	stars, width  int
}

// parse reads what Render wrote, failing on a line that is no row or too wide.
func parse(t interface{ Fatalf(string, ...any) }, text string) (rows []row) {
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if len(line) > 80 {
			t.Fatalf("%d columns: %q", len(line), line)
		}
		if i == 0 {
			continue // the heading
		}
		var r row
		label, bar, _ := strings.Cut(line, "|")
		if _, err := fmt.Sscanf(label, "%d -> %d : %d", &r.lo, &r.hi, &r.count); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		r.stars, r.width = strings.Count(bar, "*"), len(bar)-1
		rows = append(rows, r)
	}
	return rows
}

func TestEveryValueIsInItsRowWhenNothingIsScaled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(anyValue, 1, 100).Draw(t, "values")
		for _, r := range parse(t, render(t, record(values...), "nsecs", 1)) {
			var want uint64
			for _, v := range values {
				if r.lo <= v && v <= r.hi {
					want++
				}
			}
			if r.count != want {
				t.Fatalf("row %d -> %d counts %d; want %d", r.lo, r.hi, r.count, want)
			}
		}
	})
}

func TestScaledRowsErrByNoMoreThanStated(t *testing.T) {
	for _, tt := range []struct {
		scale uint64
		above float64 // how far above its row a value may be
	}{{1, 0}, {1024, 0}, {1000, 0.024}, {1e6, 0.049}, {1e9, 0.007}, {3, ErrorBound}, {7e5, ErrorBound}} {
		t.Run(fmt.Sprint(tt.scale), func(t *testing.T) {
			for _, lo := range buckets()[:Buckets-1] {
				_, hi := Bounds(Index(lo))
				for _, v := range []uint64{lo, hi - 1} {
					r := parse(t, render(t, record(v), "units", tt.scale))[0]
					start, end := r.lo*tt.scale, (r.hi+1)*tt.scale
					if v < start || v >= end && float64(v) > float64(end)*(1+tt.above) || tt.above == 0 && v >= end {
						t.Errorf("%d is in the row of %d to %d", v, start, end-1)
					}
				}
			}
		})
	}
}

func TestRenderFitsWhateverTheCounts(t *testing.T) {
	anyCount := rapid.OneOf(rapid.Just(uint64(0)), anyValue)
	rapid.Check(t, func(t *rapid.T) {
		h := Hist{Max: anyValue.Draw(t, "max")}
		for range rapid.IntRange(1, 20).Draw(t, "buckets") {
			h.Counts[rapid.IntRange(0, Buckets-1).Draw(t, "bucket")] = anyCount.Draw(t, "count")
		}
		rows := parse(t, render(t, &h, "nsecs", rapid.SampledFrom([]uint64{1, 1000, 1e6, 1e9}).Draw(t, "scale")))
		var most uint64
		for _, r := range rows {
			most = max(most, r.count)
		}
		for i, r := range rows {
			if i > 0 && r.lo != rows[i-1].hi+1 {
				t.Fatalf("row %d starts at %d, the one above ends at %d", i, r.lo, rows[i-1].hi)
			}
			if edge := i == 0 || i == len(rows)-1; edge && r.count == 0 {
				t.Fatalf("empty row %d of %d at the edge", i, len(rows))
			}
			share := float64(r.count) / float64(most) * float64(r.width)
			if off := share - float64(r.stars); off < -1e-9 || off > 1+1e-9 {
				t.Fatalf("%d stars of %d for %d of %d", r.stars, r.width, r.count, most)
			}
		}
	})
}

func TestRenderReportsAFailedWrite(t *testing.T) {
	if err := record(1).Render(failing{}, "nsecs", 1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Render = %v; want %v", err, os.ErrClosed)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }
