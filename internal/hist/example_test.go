package hist_test

import (
	"fmt"
	"os"

	"github.com/ring3-go/ring3/internal/hist"
)

// Two snapshots of a growing histogram give an interval.
func Example() {
	var h hist.Hist
	for v := uint64(1); v <= 1000; v++ {
		h.Record(v * 50) // 50 ns to 50 µs
	}
	before := h
	for range 200 {
		h.Record(6_000)
	}
	h.Record(90_000)

	interval := h
	interval.Sub(&before)
	for _, q := range []float64{0.5, 0.99, 1} {
		fmt.Printf("p%g: %d ns in all, %d ns in the interval\n", q*100, h.Quantile(q), interval.Quantile(q))
	}
	fmt.Printf("at most %g %% too high\n", hist.ErrorBound*100)
	// Output:
	// p50: 20479 ns in all, 6143 ns in the interval
	// p99: 53247 ns in all, 6143 ns in the interval
	// p100: 90000 ns in all, 90000 ns in the interval
	// at most 12.5 % too high
}

// Nanoseconds, drawn in microseconds.
func ExampleHist_Render() {
	var h hist.Hist
	for i := range uint64(1000) {
		h.Record(i * i / 20)
	}
	h.Record(180_000)
	if err := h.Render(os.Stdout, "usecs", 1000); err != nil {
		fmt.Println(err)
	}
	// Output:
	//      usecs               : count    distribution
	//          0 -> 1          : 203      |**********************************      |
	//          2 -> 3          : 84       |**************                          |
	//          4 -> 7          : 118      |*******************                     |
	//          8 -> 15         : 168      |****************************            |
	//         16 -> 31         : 237      |****************************************|
	//         32 -> 63         : 190      |********************************        |
	//         64 -> 127        : 0        |                                        |
	//        128 -> 255        : 1        |                                        |
}
