package kernelmatrix

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// parsedEntry is a cpio entry as the format's description defines it.
type parsedEntry struct {
	Name                  string
	Mode, UID, GID, Links uint32
	Inode, Major, Minor   uint32
	Body                  string
}

// parseCPIO reads an archive, with the offsets of the format's description.
func parseCPIO(t *testing.T, archive []byte) []parsedEntry {
	t.Helper()
	var entries []parsedEntry
	take := func(n int) []byte {
		if n > len(archive) {
			t.Fatalf("archive ends %d bytes early", n-len(archive))
		}
		part := archive[:n]
		archive = archive[n:]
		return part
	}
	total := len(archive)
	align := func() {
		if pad := take((len(archive) - total) & 3); bytes.Trim(pad, "\x00") != nil {
			t.Fatalf("padding %q", pad)
		}
	}
	for {
		header := take(110)
		if string(header[:6]) != "070701" {
			t.Fatalf("magic %q", header[:6])
		}
		var field [13]uint32
		for i := range field {
			raw, err := hex.DecodeString(string(header[6+8*i : 14+8*i]))
			if err != nil {
				t.Fatal(err)
			}
			field[i] = binary.BigEndian.Uint32(raw)
		}
		name, ok := strings.CutSuffix(string(take(int(field[11]))), "\x00")
		if !ok {
			t.Fatalf("name %q does not end in NUL", name)
		}
		align()
		body := string(take(int(field[6])))
		align()
		if name == cpioTrailer {
			if len(archive) != 0 {
				t.Fatalf("%d bytes after the trailer", len(archive))
			}
			return entries
		}
		entries = append(entries, parsedEntry{
			Name: name, Inode: field[0], Mode: field[1], UID: field[2], GID: field[3], Links: field[4],
			Major: field[9], Minor: field[10], Body: body,
		})
	}
}

func writeCPIO(t *testing.T, entries []cpioEntry, bodies []string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := &cpioWriter{w: &b}
	for i, e := range entries {
		e.size, e.body = int64(len(bodies[i])), strings.NewReader(bodies[i])
		if err := w.add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sampleCPIO() (entries []cpioEntry, bodies []string) {
	entries = []cpioEntry{
		{name: "dev", mode: cpioDir | 0o755},
		{name: "dev/console", mode: cpioChar | 0o600, major: 5, minor: 1},
		{name: "link", mode: cpioSymlink | 0o777},
	}
	bodies = []string{"", "", "dev/console"}
	for n := range 6 { // every remainder of name and body
		entries = append(entries, cpioEntry{name: "dev/" + strings.Repeat("n", n+1), mode: cpioRegular | 0o644})
		bodies = append(bodies, strings.Repeat("b", 5-n))
	}
	return entries, bodies
}

func TestArchiveReadsBack(t *testing.T) {
	entries, bodies := sampleCPIO()
	var want []parsedEntry
	for i, e := range entries {
		links := uint32(1)
		if e.mode&cpioTypeMask == cpioDir {
			links = 2
		}
		want = append(want, parsedEntry{
			Name: e.name, Mode: e.mode, Links: links, Inode: uint32(i + 1), Major: e.major, Minor: e.minor, Body: bodies[i],
		})
	}
	got := parseCPIO(t, writeCPIO(t, entries, bodies))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCPIOProgramListsTheArchive(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip(err)
	}
	entries, bodies := sampleCPIO()
	cmd := exec.Command("cpio", "-tv", "--numeric-uid-gid", "--quiet")
	cmd.Stdin = bytes.NewReader(writeCPIO(t, entries, bodies))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	types := map[uint32]string{cpioDir: "d", cpioRegular: "-", cpioChar: "c", cpioSymlink: "l"}
	var want, got []string
	for i, e := range entries {
		size := fmt.Sprint(len(bodies[i]))
		if e.mode&cpioTypeMask == cpioChar {
			size = fmt.Sprintf("%d,%d", e.major, e.minor)
		}
		want = append(want, fmt.Sprintf("%s 0:0 %s %s", types[e.mode&cpioTypeMask], size, e.name))
	}
	device := regexp.MustCompile(`, +`) // "5,  1" is one field
	for line := range strings.Lines(string(out)) {
		line = device.ReplaceAllString(line, ",")
		f := strings.Fields(line)
		// mode, links, owner, group, size or device, date (3), name [-> target]
		got = append(got, fmt.Sprintf("%s %s:%s %s %s", f[0][:1], f[2], f[3], f[4], f[8]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, out)
	}
}

func TestArchiveOfEqualTreesIsEqual(t *testing.T) {
	entries, bodies := sampleCPIO()
	if !bytes.Equal(writeCPIO(t, entries, bodies), writeCPIO(t, slices.Clone(entries), bodies)) {
		t.Error("two archives of one tree differ")
	}
}

func TestArchiveRefusesWhatItCannotHold(t *testing.T) {
	broken := errors.New("broken disk")
	for _, c := range []struct {
		claim string
		entry cpioEntry
		want  error
	}{
		{"body shorter than its size", cpioEntry{name: "a", size: 3, body: strings.NewReader("ab")}, io.ErrUnexpectedEOF},
		{"body that fails", cpioEntry{name: "a", size: 3, body: iotest.ErrReader(broken)}, broken},
		{"size of 4 GiB", cpioEntry{name: "a", size: 1 << 32}, nil},
		{"absolute name", cpioEntry{name: "/a"}, nil},
		{"empty name", cpioEntry{}, nil},
		{"NUL in the name", cpioEntry{name: "a\x00b"}, nil},
	} {
		err := (&cpioWriter{w: io.Discard}).add(c.entry)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.claim, err, c.want)
		}
	}
}
