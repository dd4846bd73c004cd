package kernelmatrix

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sampleFrames is a short job.
func sampleFrames() []Frame {
	return []Frame{
		{Kind: KindBoot, Data: []byte("6.12.0-test")},
		{Kind: KindStart, Step: 0},
		{Kind: KindOut, Data: []byte("any\x00 bytes \xff\n\r\x16, and ring3:{}\n")},
		{Kind: KindBeat},
		{Kind: KindExit, Exit: &Exit{Code: 2, State: "exit status 2", Elapsed: time.Second}},
		{Kind: KindDone},
	}
}

// encode writes frames as the guest does, and returns its lines.
func encode(t testing.TB, frames []Frame) []string {
	t.Helper()
	var b bytes.Buffer
	w := NewFrameWriter(&b)
	for i := range frames {
		if err := w.Write(frames[i]); err != nil {
			t.Fatal(err)
		}
		frames[i].Seq = i + 1
	}
	lines := strings.SplitAfter(b.String(), "\n")
	return lines[:len(lines)-1] // nothing stands after the last newline
}

func readAll(t testing.TB, r io.Reader) (frames []Frame, text []string) {
	t.Helper()
	err := readConsole(r, func(f Frame) { frames = append(frames, f) }, func(s string) { text = append(text, s) })
	if err != nil {
		t.Fatal(err)
	}
	return frames, text
}

func TestFramesReadBack(t *testing.T) {
	want := sampleFrames()
	lines := encode(t, want)
	for claim, console := range map[string]string{
		"as written":                  strings.Join(lines, ""),
		"with carriage returns":       strings.ReplaceAll(strings.Join(lines, ""), "\n", "\r\n"),
		"after half a kernel line":    "[    1.0] Run /init as " + strings.Join(lines, ""),
		"without the last newline":    strings.TrimSuffix(strings.Join(lines, ""), "\n"),
		"between lines of the kernel": strings.Join(lines, "[    2.0] random: crng init done\n\n"),
	} {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(console), "by the byte": iotest.OneByteReader(strings.NewReader(console)),
		} {
			frames, _ := readAll(t, r)
			if diff := cmp.Diff(want, frames); diff != "" {
				t.Errorf("%s, %s: %s", claim, name, diff)
			}
		}
	}
}

func TestWhatIsNoFrameIsText(t *testing.T) {
	lines := encode(t, sampleFrames())
	torn := lines[2][:20] + "[    3.0] BUG: oops\n" + lines[2][20:]
	console := "SeaBIOS\r\n" + lines[0] + torn + "ring3:\nring3:{\"seq\":0}\nring3:{\"seq\":9,\"step\":-1}\n" + lines[3] + "end"
	frames, text := readAll(t, strings.NewReader(console))
	if len(frames) != 2 || frames[0].Seq != 1 || frames[1].Seq != 4 {
		t.Errorf("frames %+v, want numbers 1 and 4", frames)
	}
	want := []string{
		"SeaBIOS", lines[2][:20] + "[    3.0] BUG: oops", strings.TrimSuffix(lines[2][20:], "\n"),
		"ring3:", `ring3:{"seq":0}`, `ring3:{"seq":9,"step":-1}`, "end",
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
}

func TestLineWithoutEndIsBounded(t *testing.T) {
	endless := io.LimitReader(zeros{}, 3*frameMax)
	_, text := readAll(t, endless)
	for _, line := range text {
		if len(line) > 2*frameMax {
			t.Errorf("kept %d bytes", len(line))
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestConsoleErrorIsReturned(t *testing.T) {
	broken := errors.New("broken wire")
	err := readConsole(iotest.ErrReader(broken), func(Frame) {}, func(string) {})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

// Whatever else is on the console, every frame that has a line for itself arrives.
func FuzzReadConsole(f *testing.F) {
	f.Add([]byte("[    0.0] Linux version 6.12\n"), []byte("ring3:{"))
	f.Add([]byte("ring3:{\"seq\":1}\n"), []byte("\x00\xff\r"))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		want := sampleFrames()
		lines := encode(t, want)
		var console bytes.Buffer
		for _, line := range lines {
			console.Write(before)
			console.WriteString("\n" + line)
		}
		console.Write(after)
		frames, _ := readAll(t, &console)
		next := 0
		for _, got := range frames {
			if next < len(want) && cmp.Equal(got, want[next]) {
				next++
			}
		}
		if next < len(want) {
			t.Errorf("frame %d of %d did not arrive", next+1, len(want))
		}
	})
}
