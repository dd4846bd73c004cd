package kernelmatrix

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"
)

// Totals counts results. A subtest counts like a test.
type Totals struct{ Passed, Failed, Skipped int }

func (t *Totals) add(o Outcome) {
	switch o {
	case Pass:
		t.Passed++
	case Fail:
		t.Failed++
	case Skip:
		t.Skipped++
	}
}

// String is the line that ends a report.
func (t Totals) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.Passed, t.Failed, t.Skipped)
}

// A Report prints results as they come. Machines share one, and what belongs
// together is written with one call of Write.
type Report struct {
	verbose bool

	mu    sync.Mutex
	w     io.Writer
	all   Totals
	some  map[string]Totals // by kernel
	wrote error
}

// NewReport returns a report that writes to w. It prints every test, every
// subtest that did not pass, and the output of those that failed or skipped;
// where verbose, everything.
func NewReport(w io.Writer, verbose bool) *Report {
	return &Report{w: w, verbose: verbose, some: make(map[string]Totals)}
}

// result prints one result of a package, given by its directory in the module.
func (r *Report) result(kernel, rel string, res Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.add(res.Outcome)
	totals := r.some[kernel]
	totals.add(res.Outcome)
	r.some[kernel] = totals

	subtest := strings.Contains(res.Test, "/")
	if subtest && res.Outcome == Pass && !r.verbose {
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s", path.Join(kernel, rel, res.Test), res.Outcome)
	if res.Elapsed >= 0 {
		fmt.Fprintf(&b, " (%.2fs)", res.Elapsed.Seconds())
	}
	b.WriteByte('\n')
	if res.Outcome != Pass || r.verbose {
		indent(&b, res.Output)
	}
	r.write(b.Bytes())
}

// kernel prints the summary of one kernel. trouble is what went wrong with the
// machine itself; it counts as a failed test.
func (r *Report) kernel(kernel, release string, elapsed time.Duration, trouble error) {
	if trouble != nil {
		r.result(kernel, "", Result{Outcome: Fail, Output: []byte(trouble.Error()), Elapsed: elapsed})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if release == "" {
		release = "not booted"
	}
	r.write(fmt.Appendf(nil, "%s: %v in %.1fs (%s)\n", kernel, r.some[kernel], elapsed.Seconds(), release))
}

// Close prints the last line, and returns the totals and the first error of writing.
func (r *Report) Close() (Totals, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(fmt.Appendln(nil, r.all))
	return r.all, r.wrote
}

func (r *Report) write(b []byte) {
	if _, err := r.w.Write(b); err != nil && r.wrote == nil {
		r.wrote = fmt.Errorf("write report: %w", err)
	}
}

// indent writes text with every line moved in.
func indent(b *bytes.Buffer, text []byte) {
	for line := range bytes.Lines(text) {
		b.WriteString("    ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
}
