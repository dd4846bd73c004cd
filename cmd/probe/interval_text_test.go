package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ring3-go/ring3/ctxswitch"
	"github.com/ring3-go/ring3/internal/bpf"
	"github.com/ring3-go/ring3/pagefault"
)

// wantHarmless checks that no character of text can disturb a terminal or split a record.
func wantHarmless(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %q", text)
	}
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Errorf("character %U in %q", r, text)
			return
		}
	}
}

// wantNarrow checks that every line fits a terminal.
func wantNarrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := width(strings.TrimSuffix(line, "\n")); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// hostileNames are names that a process can give itself.
var hostileNames = []string{
	"\x1b[2J\x1b[31mred", "a\nb\rc\td", "\x7f\x9b31m\u009b", "\xff\xfe\x00", "\u202eedoc", "\u2028\u2029", `\x1b"]}`, "世界世界世", "", "%s%n%!",
}

// nasty makes numbers of all sizes and names of all kinds.
type nasty struct{ *rand.Rand }

func (r nasty) number() uint64 { return r.Uint64() >> (1 + r.IntN(63)) }
func (r nasty) name() string   { return hostileNames[r.IntN(len(hostileNames))] }
func (r nasty) hist() (h pagefault.Histogram) {
	for range r.IntN(4) {
		h.Counts[r.IntN(len(h.Counts))] = r.number() >> 8
	}
	for _, n := range h.Counts {
		h.Count += n
	}
	h.Sum, h.Max = r.number(), r.number()
	return h
}
func (r nasty) duration() time.Duration { return time.Duration(r.number() >> 1) }
func (r nasty) lost() bpf.Loss {
	return bpf.Loss{Storage: r.number(), MapFull: r.number(), Clock: r.number(), Pair: r.number(), Event: r.number(), Missed: r.number()}
}
func (r nasty) interval() (from, to time.Time) {
	from = time.Unix(1e9, 0)
	return from, from.Add(r.duration() >> 8)
}

func (r nasty) options(keys bpf.By) observeOptions {
	o := observeOptions{by: bpf.By(r.Uint32()) & keys, top: r.IntN(5), hist: r.IntN(2) == 0}
	switch r.IntN(4) {
	case 0:
		o.target.PID = math.MaxInt32
	case 1:
		o.target.Comm = r.name()
	case 2:
		o.target.Cgroup = strings.Repeat("/"+r.name(), 20)
	}
	return o
}

func (r nasty) faults(keys bpf.By) (*pagefault.Snapshot, observeOptions) {
	d := &pagefault.Snapshot{
		Minor: r.number(), Major: r.number(), Failed: r.number(), FixedUp: r.number(), Exec: r.number(), Unseen: r.number(),
		Lost: r.lost(), Cost: bpf.Cost{Known: r.IntN(2) == 0, Runs: r.number(), Ns: r.number()},
	}
	for range r.IntN(20) {
		c := pagefault.Class{Memory: pagefault.Memory(r.IntN(6)), Event: pagefault.Event(r.IntN(10)), Access: pagefault.Access(r.IntN(4)), Major: r.IntN(2) == 0}
		d.Classes = append(d.Classes, pagefault.ClassStats{Class: c, Count: r.number(), Time: r.hist()})
		d.Who = append(d.Who, pagefault.WhoStats{
			Key:   pagefault.Key{Comm: r.name(), PID: math.MaxInt32, TID: r.IntN(9), Cgroup: r.number(), Class: c, File: r.name() + r.name(), Inode: r.number()},
			Count: r.number(), Major: r.number(), Time: r.duration(), TimeMax: r.duration(),
		})
	}
	return d, r.options(keys)
}

func (r nasty) switches(keys bpf.By) (*ctxswitch.Snapshot, observeOptions) {
	d := &ctxswitch.Snapshot{
		Switches: r.number(), FromIdle: r.number(), Voluntary: r.number(), Involuntary: r.number(), Exit: r.number(), Migrations: r.number(),
		RunDelayWoken: r.hist(), RunDelayPreempted: r.hist(), OnCPU: r.hist(),
		Lost: r.lost(), Cost: bpf.Cost{Known: r.IntN(2) == 0, Runs: r.number(), Ns: r.number()},
	}
	for range r.IntN(20) {
		in := ctxswitch.BlockedIn(r.Uint32() >> r.IntN(32))
		d.OffCPU = append(d.OffCPU, ctxswitch.OffCPU{In: in, Time: r.hist()})
		d.Who = append(d.Who, ctxswitch.WhoStats{
			Key:       ctxswitch.Key{Comm: r.name(), PID: math.MaxInt32, TID: r.IntN(9), Cgroup: r.number(), Syscall: in},
			Voluntary: r.number(), Involuntary: r.number(), RunDelay: r.duration(), RunDelayMax: r.duration(), OnCPU: r.duration(), OffCPU: r.duration(),
		})
		d.Preemptions = append(d.Preemptions, ctxswitch.Preemption{Victim: r.name(), By: r.name(), Count: 1 + r.number()>>1})
	}
	return d, r.options(keys)
}

// TestReportsFitTerminalsWhateverTheySay makes reports up, of which most cannot occur, and looks at their
// form alone.
func TestReportsFitTerminalsWhateverTheySay(t *testing.T) {
	for seed := range uint64(300) {
		r := nasty{rand.New(rand.NewPCG(seed, 0))}
		names := cgroupNames{paths: map[uint64]string{}, fresh: true}
		var text, records bytes.Buffer
		p := &page{w: &text, out: &output{color: "never"}}
		from, to := r.interval()
		counter := func() bracket { n := r.number(); return bracket{n, n + r.number()>>r.IntN(64)} }

		faults, opts := r.faults(bpf.ByComm | bpf.ByPID | bpf.ByTID | bpf.ByCgroup | bpf.ByClass | bpf.ByFile)
		for _, w := range faults.Who {
			names.paths[w.Key.Cgroup] = strings.Repeat("/"+r.name(), r.IntN(9))
		}
		fr := newFaultsRecord(faults, opts, pagefault.BackendPerf, from, to, &names)
		if r.IntN(2) == 0 {
			fr.VMStat = newVMStatRecord(faults, faultReading{faults: counter()}, faultReading{faults: counter()})
		}
		writeFaultsText(p, fr, faults, opts)

		switches, opts := r.switches(bpf.ByComm | bpf.ByPID | bpf.ByTID | bpf.ByCgroup | bpf.BySyscall)
		sr := newSwitchesRecord(switches, opts, ctxswitch.BackendTracepoint, from, to, &names)
		if r.IntN(2) == 0 {
			sr.Ctxt = newCtxtRecord(switches, switchReading{ctxt: counter()}, switchReading{ctxt: counter()})
		}
		writeSwitchesText(p, sr, switches, opts)

		for _, rec := range []any{fr, sr} {
			if err := writeRecord(&records, rec); err != nil {
				t.Fatal(err)
			}
		}
		if p.err != nil {
			t.Fatal(p.err)
		}
		wantNarrow(t, text.String())
		wantHarmless(t, text.String())
		wantHarmless(t, records.String())
		for line := range strings.Lines(records.String()) {
			validateRecord(t, []byte(line))
		}
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, text.String())
		}
	}
}

func TestColumnsStandUnderOneAnother(t *testing.T) {
	rows := [][]string{{"comm", "pid"}, {"  a", "1"}, {"  a long name", "4194304"}, {"  (7 more)"}}
	want := []string{"comm           pid    ", "  a            1      ", "  a long name  4194304", "  (7 more)            "}
	for n := 22; n >= 8; n-- {
		got := align(rows, n)
		for i := range got {
			if width(got[i]) != n {
				t.Errorf("%q has %d columns; want %d", got[i], width(got[i]), n)
			}
			if n == 22 && got[i] != want[i] {
				t.Errorf("%q; want %q", got[i], want[i])
			}
		}
	}
}

func TestTalliesFitTheirColumns(t *testing.T) {
	for v, want := range map[uint64]string{
		0: "0", 999_999: "999,999", 9_999_999: "10.0M", 1_234_567: "1.23M", 12_345_678_901: "12.3G", math.MaxUint64 >> 1: "9.22E",
	} {
		if got := tally(v, 8); got != want {
			t.Errorf("%d is %q; want %q", v, got, want)
		}
	}
	for shift := 1; shift < 64; shift++ {
		for _, n := range []int{7, 8, 9} {
			if got := tally(math.MaxUint64>>shift, n); len(got) > n {
				t.Errorf("%q is longer than %d", got, n)
			}
		}
		if got := nanoseconds(uint64(math.MaxUint64) >> shift); len(got) > 7 {
			t.Errorf("%q is longer than 7", got)
		}
	}
}

func TestRatesHaveADecimalWhereTheyAreSmall(t *testing.T) {
	for _, c := range []struct {
		n       uint64
		seconds float64
		want    string
	}{{0, 1, "0"}, {1, 2, "0.5"}, {99, 10, "9.9"}, {100, 10, "10"}, {12345, 1, "12,345"}, {5, 0, "-"}} {
		if got := rate(c.n, c.seconds); got != c.want {
			t.Errorf("%d in %gs is %q; want %q", c.n, c.seconds, got, c.want)
		}
	}
}

func TestRowsLeftOutAreSummedUp(t *testing.T) {
	d := &pagefault.Snapshot{}
	var count, major, ns uint64
	for i := range uint64(25) {
		d.Who = append(d.Who, pagefault.WhoStats{Key: pagefault.Key{Comm: fmt.Sprint(i)}, Count: 100 - i, Major: i, Time: time.Duration(1000 * i)})
		count, major, ns = count+100-i, major+i, ns+1000*i
	}
	for _, top := range []int{0, 1, 10, 24, 25, 26} {
		r := newFaultsRecord(d, observeOptions{by: bpf.ByComm, top: top}, pagefault.BackendPerf, time.Unix(0, 0), time.Unix(1, 0), nil)
		got := r.WhoRest
		for _, w := range r.Who {
			got.Count, got.Major, got.TotalNs = got.Count+w.Count, got.Major+w.Major, got.TotalNs+w.TotalNs
		}
		if want := (faultRest{len(d.Who) - len(r.Who), count, major, ns}); got != want {
			t.Errorf("top %d: %+v; want %+v", top, got, want)
		}
	}
}

func TestRecordsHaveEmptyListsAndNoNulls(t *testing.T) {
	f := newFaultsRecord(&pagefault.Snapshot{}, observeOptions{}, pagefault.BackendFentry, time.Time{}, time.Time{}, nil)
	s := newSwitchesRecord(&ctxswitch.Snapshot{}, observeOptions{}, ctxswitch.BackendTracepoint, time.Time{}, time.Time{}, nil)
	for _, r := range []any{f, s} {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(line), "null"); n != 4 { // the witness and the three of cost
			t.Errorf("%d nulls in %s", n, line)
		}
		validateRecord(t, line)
	}
}
