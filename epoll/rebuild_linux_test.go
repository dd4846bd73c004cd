package epoll

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParseSetReadsWhatTheKernelWrites(t *testing.T) {
	p := newPoller(t)
	r, w := pipe(t)
	one, two := add(t, p, r.fd, In|OneShot), add(t, p, w.fd, Out|EdgeTriggered)
	w.write("x")
	if got := poll(t, p); len(got) != 2 {
		t.Fatal(got)
	}
	f, err := os.Open("/proc/self/fdinfo/" + itoa(p.FD()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := parseSet(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []registration{
		{r.fd, OneShot, one}, // it has fired
		{w.fd, Out | Err | Hup | EdgeTriggered, two},
		{p.wakefd, In | Err | Hup | EdgeTriggered, wakeToken},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%+v is not in %+v", want, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("%+v", got)
	}
}

func FuzzParseSet(f *testing.F) {
	f.Add("pos:\t0\nflags:\t02\nmnt_id:\t15\ntfd:        5 events: 40000019 data:        100000002  pos:0 ino:1 sdev:f\n")
	f.Add("tfd: 5\n")
	f.Add("tfd: 99999999999 events: x data: -1\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseSet(strings.NewReader(text))
		if err == nil && len(got) > strings.Count(text, "tfd:") {
			t.Errorf("%d registrations in %q", len(got), text)
		}
	})
}
