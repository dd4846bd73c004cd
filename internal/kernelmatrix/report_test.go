package kernelmatrix

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill reports one kernel with every kind of result, and one that died.
func fill(r *Report) {
	r.result("amd64-6.12", "internal/hist", Result{Test: "TestA/sub", Outcome: Pass, Output: []byte("quiet\n")})
	r.result("amd64-6.12", "internal/hist", Result{Test: "TestA", Outcome: Pass, Elapsed: 20 * time.Millisecond})
	r.result("amd64-6.12", "internal/hist", Result{Test: "TestB", Outcome: Skip, Output: []byte("    b_test.go:7: no tea\n")})
	r.result("amd64-6.12", ".", Result{Test: "TestC/x", Outcome: Fail, Output: []byte("bad\r\nworse")})
	r.result("amd64-6.12", "epoll", Result{Outcome: Fail, Elapsed: -1, Output: []byte("exit status 7\n")})
	r.kernel("amd64-6.12", "6.12.107+deb13-cloud-amd64", 9*time.Second, nil)
	r.kernel("arm64-6.1", "", time.Minute, errors.New("machine: it fell silent"))
}

const wantBrief = `amd64-6.12/internal/hist/TestA PASS (0.02s)
amd64-6.12/internal/hist/TestB SKIP (0.00s)
        b_test.go:7: no tea
amd64-6.12/TestC/x FAIL (0.00s)
    bad
    worse
amd64-6.12/epoll FAIL
    exit status 7
amd64-6.12: 2 passed, 2 failed, 1 skipped in 9.0s (6.12.107+deb13-cloud-amd64)
arm64-6.1 FAIL (60.00s)
    machine: it fell silent
arm64-6.1: 0 passed, 1 failed, 0 skipped in 60.0s (not booted)
2 passed, 3 failed, 1 skipped
`

const wantVerbose = `amd64-6.12/internal/hist/TestA/sub PASS (0.00s)
    quiet
` + wantBrief

func TestReportText(t *testing.T) {
	for verbose, want := range map[bool]string{false: wantBrief, true: wantVerbose} {
		var text strings.Builder
		r := NewReport(&text, verbose)
		fill(r)
		totals, err := r.Close()
		if err != nil || totals != (Totals{Passed: 2, Failed: 3, Skipped: 1}) {
			t.Errorf("Close() = %+v, %v", totals, err)
		}
		if diff := cmp.Diff(want, text.String()); diff != "" {
			t.Errorf("verbose %v: %s", verbose, diff)
		}
	}
}

func TestReportReturnsAFailedWrite(t *testing.T) {
	r := NewReport(failingWriter{}, false)
	fill(r)
	if _, err := r.Close(); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

var errFull = errors.New("disk full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }
