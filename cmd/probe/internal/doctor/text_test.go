package doctor

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func ExampleText() {
	Text(os.Stdout, []Check{
		{Name: "io_uring", Status: OK, Evidence: "set up: features 0x3ffff, 63 operations"},
		{Name: "swap", Status: No, Evidence: "/proc/swaps lists no area", Consequence: "anonymous memory takes no major faults: swap-in cannot be caused",
			Remedy: "as root: fallocate -l 64M F; chmod 600 F; mkswap F; swapon F"},
		{Name: "lockdown", Status: Limited, Evidence: "unknown", Consequence: "where something is refused, lockdown may be why"},
	}, false)
	// Output:
	// ok       io_uring  set up: features 0x3ffff, 63 operations
	// no       swap      /proc/swaps lists no area
	//            means:  anonymous memory takes no major faults: swap-in cannot be
	//                    caused
	//            remedy: as root: fallocate -l 64M F; chmod 600 F; mkswap F; swapon F
	// limited  lockdown  unknown
	//            means:  where something is refused, lockdown may be why
}

func TestCheckMarshalsAsDocumented(t *testing.T) {
	got, err := json.Marshal([]Check{passed("x"), limited("x", "y", "z"), refused("x", "y", "")})
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"name":"","status":"ok","evidence":"x","consequence":"","remedy":""},` +
		`{"name":"","status":"limited","evidence":"x","consequence":"y","remedy":"z"},` +
		`{"name":"","status":"no","evidence":"x","consequence":"y","remedy":""}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// anyCheck draws checks with whatever a kernel or a file system may hold.
func anyCheck(t *rapid.T) Check {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z /:]{0,300}`), rapid.Just("\x1b[2J\u202e\xff\r\n\u0085/漢字かな"))
	return Check{
		Name:        rapid.StringMatching(`[a-z :]{1,60}`).Draw(t, "name"),
		Status:      rapid.SampledFrom([]Status{OK, Limited, No}).Draw(t, "status"),
		Evidence:    text.Draw(t, "evidence"),
		Consequence: text.Draw(t, "consequence"),
		Remedy:      text.Draw(t, "remedy"),
	}
}

func TestTextIsPrintableAndFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checks := rapid.SliceOfN(rapid.Custom(anyCheck), 0, 5).Draw(t, "checks")
		var plain, colored strings.Builder
		if err := errors.Join(Text(&plain, checks, false), Text(&colored, checks, true)); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(plain.String(), "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("unprintable: %q", line)
			}
			if width(line) > 80 {
				t.Errorf("%d columns: %q", width(line), line)
			}
			if strings.HasSuffix(line, " ") {
				t.Errorf("trailing space: %q", line)
			}
		}
		escapes := regexp.MustCompile("\x1b\\[[0-9]*m")
		if got := escapes.ReplaceAllString(colored.String(), ""); got != plain.String() {
			t.Errorf("with colour taken out: %q\nplain: %q", got, plain.String())
		}
	})
}

func TestWrapKeepsEveryWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z ]{0,200}`).Draw(t, "text")
		got := strings.Join(wrap(text, rapid.IntRange(1, 80).Draw(t, "columns")), "")
		if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("wrap(%q) holds %q", text, got)
		}
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestTextReturnsTheWritersError(t *testing.T) {
	if err := Text(brokenPipe{}, []Check{passed("x")}, false); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Text = %v; want the error of the writer", err)
	}
}
