package kernelmatrix

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// An Outcome is how a test ended.
type Outcome string

// The outcomes, spelt as the report spells them.
const (
	Pass Outcome = "PASS"
	Fail Outcome = "FAIL"
	Skip Outcome = "SKIP"
)

// A Result is one test or subtest; an empty Test is the package as a whole,
// which is reported only where it failed with no test to blame.
type Result struct {
	Test    string
	Outcome Outcome
	Elapsed time.Duration // as the test binary rounds it, to 10 ms; negative where nobody knows
	Output  []byte        // of the test, its end where there is much
}

// outputMax bounds what is kept of a test's output, in bytes. The end is kept:
// a dump of all goroutines begins with the one that matters, but after it
// stands nothing else.
const outputMax = 256 << 10

// A testParser reads what a test binary prints with -test.v=test2json, where a
// control character (^V) stands before every line of the testing package, so
// that a test's own output cannot be taken for one. The rules are those of cmd/internal/test2json.
type testParser struct {
	emit func(Result)

	line    []byte
	current string // the test that the next output belongs to
	running map[string]bool
	order   []string // of the starts, for those that never end
	output  map[string][]byte
	pending []Result // reported tests, outermost first, which may get more output
	failed  bool
}

const testMarker = 0x16

func newTestParser(emit func(Result)) *testParser {
	return &testParser{emit: emit, running: make(map[string]bool), output: make(map[string][]byte)}
}

// Write takes the next bytes of output. It never fails.
func (p *testParser) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		i := bytes.IndexAny(b, "\n\x16")
		switch {
		case i < 0:
			p.line = append(p.line, b...)
			if len(p.line) > outputMax {
				p.flushLine()
			}
			return n, nil
		case b[i] == '\n':
			p.line = append(p.line, b[:i+1]...)
			p.flushLine()
			b = b[i+1:]
		default: // a marker ends what a test printed without a newline
			p.line = append(p.line, b[:i]...)
			p.flushLine()
			p.line = append(p.line, testMarker)
			b = b[i+1:]
		}
	}
	return n, nil
}

func (p *testParser) flushLine() {
	line := p.line
	p.line = p.line[:0]
	if len(line) == 0 {
		return
	}
	text, marked := strings.CutPrefix(string(line), string(rune(testMarker)))
	if !marked || !p.control(strings.TrimRight(text, "\r\n")) {
		p.keep([]byte(text))
	}
}

// control handles a line of the testing package, and reports false where it is
// none that says anything about a test.
func (p *testParser) control(line string) bool {
	if line == "PASS" || line == "FAIL" {
		p.flush(0)
		p.current = ""
		return true
	}
	if update, ok := strings.CutPrefix(line, "=== "); ok {
		action, name, _ := strings.Cut(update, " ")
		name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
		p.flush(0)
		switch action {
		case "RUN":
			if !p.running[name] {
				p.running[name] = true
				p.order = append(p.order, name)
			}
		case "PAUSE", "CONT", "NAME":
		default:
			return false // ATTR, ARTIFACTS: output, as far as we care
		}
		p.current = name
		return true
	}
	indent := 0
	for strings.HasPrefix(line, "    ") {
		line = line[4:]
		indent++
	}
	report, ok := strings.CutPrefix(line, "--- ")
	if !ok || indent > len(p.pending) {
		return false
	}
	outcome, rest, ok := strings.Cut(report, ": ")
	switch Outcome(outcome) {
	case Pass, Fail, Skip:
	default:
		return false // BENCH
	}
	if !ok {
		return false
	}
	p.flush(indent)
	r := Result{Test: rest, Outcome: Outcome(outcome)}
	if i := strings.LastIndex(rest, " ("); i >= 0 {
		r.Test = rest[:i]
		r.Elapsed = parseSeconds(strings.TrimSuffix(rest[i+2:], ")"))
	}
	p.pending = append(p.pending, r)
	// The text of a panic follows the report of its test. After any other
	// report only the package can be speaking.
	p.current = ""
	if r.Outcome == Fail {
		p.current = r.Test
	}
	return true
}

// parseSeconds reads "0.01s"; a time that it cannot read is 0.
func parseSeconds(s string) time.Duration {
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64)
	if err != nil || seconds < 0 || seconds > 1e9 {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// keep adds output to the current test.
func (p *testParser) keep(text []byte) {
	kept := append(p.output[p.current], text...)
	if len(kept) > outputMax {
		kept = kept[len(kept)-outputMax:]
	}
	p.output[p.current] = kept
}

// flush emits the reports at depth and deeper.
func (p *testParser) flush(depth int) {
	for len(p.pending) > depth {
		last := len(p.pending) - 1
		r := p.pending[last]
		p.pending = p.pending[:last]
		p.finish(r)
	}
}

func (p *testParser) finish(r Result) {
	r.Output = p.output[r.Test]
	delete(p.output, r.Test)
	delete(p.running, r.Test)
	p.failed = p.failed || r.Outcome == Fail
	p.emit(r)
}

// close ends the output. cause says why the binary did not succeed, and is
// empty where it did. Tests that began and never ended have failed, and so has
// the package where there is a cause and no failed test to explain it.
func (p *testParser) close(cause string) {
	p.flushLine()
	p.flush(0)
	rest := p.output[""]
	if cause != "" {
		rest = append(rest, cause+"\n"...)
	}
	for _, name := range p.order {
		if p.running[name] {
			p.output[name] = append(p.output[name], rest...)
			p.finish(Result{Test: name, Outcome: Fail, Elapsed: -1})
		}
	}
	if cause != "" && !p.failed {
		p.output[""] = rest
		p.finish(Result{Outcome: Fail, Elapsed: -1})
	}
}
