package kernelmatrix

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A testStream is what a test binary printed with -test.v=test2json (here with
// ^ for the control character), and the results that are in it.
type testStream struct {
	claim  string
	stream string
	cause  string // how the binary ended, where it did not succeed
	want   []Result
}

func (s testStream) bytes() []byte { return []byte(strings.ReplaceAll(s.stream, "^", "\x16")) }

var testStreams = []testStream{
	{
		claim:  "a test that passes",
		stream: "^=== RUN   TestA\n    a_test.go:5: hello\n^--- PASS: TestA (0.25s)\n^PASS\n",
		want:   []Result{{"TestA", Pass, 250 * time.Millisecond, []byte("    a_test.go:5: hello\n")}},
	},
	{
		claim:  "a reason to skip",
		stream: "^=== RUN   TestA\n    a_test.go:5: no tea\n^--- SKIP: TestA (0.00s)\n^PASS\n",
		want:   []Result{{"TestA", Skip, 0, []byte("    a_test.go:5: no tea\n")}},
	},
	{
		claim: "subtests end before their parent",
		stream: "^=== RUN   TestA\n^=== RUN   TestA/x\n    a_test.go:5: bad\n^=== RUN   TestA/y_z\n" +
			"^--- FAIL: TestA (0.02s)\n^    --- FAIL: TestA/x (0.01s)\n^    --- PASS: TestA/y_z (0.00s)\n^FAIL\n",
		cause: "exit status 1",
		want: []Result{
			{"TestA/x", Fail, 10 * time.Millisecond, []byte("    a_test.go:5: bad\n")},
			{"TestA/y_z", Pass, 0, nil},
			{"TestA", Fail, 20 * time.Millisecond, nil},
		},
	},
	{
		claim: "output of parallel tests goes where it belongs",
		stream: "^=== RUN   TestA\n^=== PAUSE TestA\n^=== RUN   TestB\n^=== PAUSE TestB\n^=== CONT  TestA\n    a1\n^=== CONT  TestB\n" +
			"    b1\n^=== NAME  TestA\n    a2\n^--- PASS: TestA (0.00s)\n^=== NAME  TestB\n    b2\n^--- PASS: TestB (0.00s)\n^PASS\n",
		want: []Result{{"TestA", Pass, 0, []byte("    a1\n    a2\n")}, {"TestB", Pass, 0, []byte("    b1\n    b2\n")}},
	},
	{
		claim:  "output without a newline before the report",
		stream: "^=== RUN   TestA\nhalf a line^--- PASS: TestA (0.00s)\n^PASS\n",
		want:   []Result{{"TestA", Pass, 0, []byte("half a line")}},
	},
	{
		claim:  "what only looks like a report is output",
		stream: "^=== RUN   TestA\n--- FAIL: TestB (0.00s)\n=== RUN   TestC\nPASS\n^--- PASS: TestA (0.00s)\n^PASS\n",
		want:   []Result{{"TestA", Pass, 0, []byte("--- FAIL: TestB (0.00s)\n=== RUN   TestC\nPASS\n")}},
	},
	{
		claim:  "a panic belongs to its test",
		stream: "^=== RUN   TestA\n^--- FAIL: TestA (0.00s)\npanic: no map [recovered, repanicked]\n\ngoroutine 24 [running]:\n",
		cause:  "exit status 2",
		want:   []Result{{"TestA", Fail, 0, []byte("panic: no map [recovered, repanicked]\n\ngoroutine 24 [running]:\n")}},
	},
	{
		claim:  "a test that never ends has failed",
		stream: "^=== RUN   TestA\n^--- PASS: TestA (0.00s)\n^=== RUN   TestB\npanic: test timed out after 8s\n",
		cause:  "exit status 2",
		want:   []Result{{"TestA", Pass, 0, nil}, {"TestB", Fail, -1, []byte("panic: test timed out after 8s\nexit status 2\n")}},
	},
	{
		claim:  "what comes after a test that passed explains the one that did not end",
		stream: "^=== RUN   TestA\n^=== PAUSE TestA\n^=== RUN   TestB\n^--- PASS: TestB (0.00s)\npanic: test timed out after 8s\n",
		cause:  "exit status 2",
		want:   []Result{{"TestB", Pass, 0, nil}, {"TestA", Fail, -1, []byte("panic: test timed out after 8s\nexit status 2\n")}},
	},
	{
		claim:  "a package can fail without a test",
		stream: "not today\n",
		cause:  "exit status 7",
		want:   []Result{{"", Fail, -1, []byte("not today\nexit status 7\n")}},
	},
	{
		claim:  "and after tests that passed",
		stream: "^=== RUN   TestA\n^--- PASS: TestA (0.00s)\n^PASS\nleak: 3 goroutines\n",
		cause:  "exit status 1",
		want:   []Result{{"TestA", Pass, 0, nil}, {"", Fail, -1, []byte("leak: 3 goroutines\nexit status 1\n")}},
	},
	{
		claim:  "no test, no result",
		stream: "testing: warning: no tests to run\n^PASS\n",
	},
	{
		claim:  "attributes and benchmarks are no results",
		stream: "^=== RUN   TestA\n^=== ATTR  TestA key value\n^--- BENCH: TestA (0.00s)\n^--- PASS: TestA (0.00s)\n^PASS\n",
		want:   []Result{{"TestA", Pass, 0, []byte("=== ATTR  TestA key value\n--- BENCH: TestA (0.00s)\n")}},
	},
}

// parse gives a stream to a parser in pieces of at most size bytes.
func parse(stream []byte, size int, cause string) (results []Result) {
	p := newTestParser(func(r Result) { results = append(results, r) })
	for piece := range slices.Chunk(stream, size) {
		p.Write(piece)
	}
	p.close(cause)
	return results
}

func TestResultsOfStreams(t *testing.T) {
	for _, s := range testStreams {
		for _, size := range []int{1, 7, 1 << 20} {
			if diff := cmp.Diff(s.want, parse(s.bytes(), size, s.cause)); diff != "" {
				t.Errorf("%s, %d bytes at a time: %s", s.claim, size, diff)
			}
		}
	}
}

// The go command's own reader of the same streams is the judge of outcomes.
func TestResultsAgreeWithTest2JSON(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	judge, err := exec.Command("go", "tool", "-n", "test2json").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range testStreams {
		if strings.Contains(s.stream, "BENCH") {
			continue // it reports an outcome of its own
		}
		cmd := exec.Command(strings.TrimSpace(string(judge)))
		cmd.Stdin = bytes.NewReader(append(s.bytes(), "\x16FAIL\tp\t0.01s\n"...)) // as "go test" ends every stream
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[string]Outcome)
		for dec := json.NewDecoder(bytes.NewReader(out)); ; {
			var event struct{ Action, Test string }
			if err := dec.Decode(&event); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			switch outcome := Outcome(strings.ToUpper(event.Action)); outcome {
			case Pass, Fail, Skip:
				if event.Test != "" {
					want[event.Test] = outcome
				}
			}
		}
		got := make(map[string]Outcome)
		for _, r := range parse(s.bytes(), 4096, "") {
			if r.Elapsed >= 0 { // the others had no end in the stream
				got[r.Test] = r.Outcome
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", s.claim, diff)
		}
	}
}

func TestOutputKeepsItsEnd(t *testing.T) {
	stream := "\x16=== RUN   TestA\n" + strings.Repeat("noise\n", outputMax/4) + "the end\n\x16--- FAIL: TestA (0.00s)\n"
	results := parse([]byte(stream), 4096, "")
	if len(results) != 1 || len(results[0].Output) > outputMax || !bytes.HasSuffix(results[0].Output, []byte("the end\n")) {
		t.Errorf("%d results, the first with %d bytes of output", len(results), len(results[0].Output))
	}
}

// However a stream is cut into pieces, the results are the same, every test
// that began has one, and a binary that failed has a failure.
func FuzzResults(f *testing.F) {
	for _, s := range testStreams {
		f.Add(s.bytes(), uint16(5), s.cause)
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint16, cause string) {
		whole := parse(stream, len(stream)+1, cause)
		if diff := cmp.Diff(whole, parse(stream, int(size)+1, cause)); diff != "" {
			t.Errorf("in pieces of %d: %s", int(size)+1, diff)
		}
		failed := slices.ContainsFunc(whole, func(r Result) bool { return r.Outcome == Fail })
		if cause != "" && !failed {
			t.Errorf("ended with %q, and nothing failed", cause)
		}
	})
}
