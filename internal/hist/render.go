package hist

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"
)

const (
	columns   = 80 // no line is wider
	narrow    = 10 // width of a row's bounds
	wide      = 20 // the same, when one has more than 10 digits
	countCols = 8  // width of the count, unless one has more digits
)

// Render draws h on w as bcc's tools draw theirs: a row for each power of two,
// from the first to the last that is not empty, with up to 40 stars. Nothing is
// written for an empty histogram. No line is wider than 80 columns: where the
// bounds of a row exceed 10 digits or a count exceeds 10 digits, the stars give
// way. The error is that of w.
//
// A row's bounds are in units of scale recorded values, named by unit: with
// nanoseconds recorded, ("usecs", 1000) or ("nsecs", 1). A scale of 0 counts as 1.
//
// When scale is a power of two, every value is in its row. Otherwise a power of two
// in units is not one in recorded values, and one bucket lies across each border
// between rows. It goes where its smallest value belongs, so that a row also
// counts the values just above its upper bound: up to 2.4 % above with a scale
// of 10^3, 4.9 % with 10^6, 0.7 % with 10^9, less than [ErrorBound] with any.
//
// A row with the open-ended bucket, which is the last, ends at Max when that lies
// beyond the power of two.
func (h *Hist) Render(w io.Writer, unit string, scale uint64) error {
	scale = max(scale, 1)
	rows := h.fold(scale)
	first, last, most := extent(&rows)
	if most == 0 {
		return nil
	}
	_, top := rowBounds(last)
	if h.Counts[Buckets-1] > 0 {
		top = max(top, h.Max/scale)
	}

	bound := narrow
	if digits(top) > narrow {
		bound = wide
	}
	count := max(countCols, digits(most))
	stars := 40
	if bound == wide {
		stars = 20
	}
	const frame = len(" -> ") + len(" : ") + len(" |") + len("|")
	stars = min(stars, columns-frame-2*bound-count)

	var b bytes.Buffer
	fmt.Fprintf(&b, "%*s%-*s : %-*s distribution\n", bound-5, "", bound+9, unit, count, "count")
	for r := first; r <= last; r++ {
		lo, hi := rowBounds(r)
		if r == last {
			hi = top
		}
		bar := strings.Repeat("*", share(rows[r], most, stars))
		fmt.Fprintf(&b, "%*d -> %-*d : %-*d |%-*s|\n", bound, lo, bound, hi, count, rows[r], stars, bar)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write histogram: %w", err)
	}
	return nil
}

// fold returns the counts by row, each bucket in the row of its smallest value.
func (h *Hist) fold(scale uint64) (rows [64]uint64) {
	for i, n := range h.Counts {
		rows[rowOf(lowerBound(i)/scale)] += n
	}
	return rows
}

// rowOf returns the row of v. Row 0 takes both 0 and 1, as it does in bcc.
func rowOf(v uint64) int { return max(bits.Len64(v), 1) - 1 }

// rowBounds returns the smallest and the largest value of row r.
func rowBounds(r int) (lo, hi uint64) {
	if r == 0 {
		return 0, 1
	}
	return 1 << r, 1<<(r+1) - 1
}

// extent returns the first and the last row in use and the largest count, which
// is 0 when there is no such row.
func extent(rows *[64]uint64) (first, last int, most uint64) {
	for r, n := range rows {
		if n == 0 {
			continue
		}
		if most == 0 {
			first = r
		}
		last = r
		most = max(most, n)
	}
	return first, last, most
}

// share returns n/most of width, rounded down, for n <= most. The product has 128
// bits, for the counts of a kernel that has run for years.
func share(n, most uint64, width int) int {
	hi, lo := bits.Mul64(n, uint64(width))
	quo, _ := bits.Div64(hi, lo, most)
	return int(quo)
}

func digits(v uint64) int { return len(strconv.FormatUint(v, 10)) }
