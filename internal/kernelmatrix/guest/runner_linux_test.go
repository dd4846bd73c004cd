package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ring3-go/ring3/internal/kernelmatrix"
)

// actVariable makes the test binary a step that does what it says.
const actVariable = "GUEST_TEST_ACT"

func TestMain(m *testing.M) {
	switch os.Getenv(actVariable) {
	case "hang":
		os.Stdout.WriteString("up\n")
		time.Sleep(time.Hour)
	case "exit 7":
		os.Exit(7)
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	os.Exit(m.Run())
}

// step returns the command of a step that acts.
func step(t *testing.T, act string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), actVariable+"="+act)
	return cmd
}

// What runStep does after a step, killing every process, is for a guest
// alone; the rest of it is tested here.
func TestExitSaysHowAStepEnded(t *testing.T) {
	for _, c := range []struct {
		cmd   *exec.Cmd
		limit time.Duration
		code  int
		state string
	}{
		{step(t, "exit 7"), 0, 7, "exit status 7"},
		{step(t, "exit 7"), time.Hour, 7, "exit status 7"},
		{step(t, "kill"), 0, 128 + 9, "signal: killed"},
		{step(t, "hang"), 500 * time.Millisecond, 2, "exit status 2"}, // Go's way to die of SIGQUIT
		{exec.Command("/nonexistent/program"), 0, 127, "did not start: "},
	} {
		limited, err := runToEnd(c.cmd, c.limit)
		exit := exitOf(c.cmd, err, time.Second, limited)
		if exit.Code != c.code || !strings.HasPrefix(exit.State, c.state) || exit.Limit != (c.state == "exit status 2") {
			t.Errorf("want %d %q: %+v, %v", c.code, c.state, exit, err)
		}
	}
}

func TestHungStepPrintsItsGoroutines(t *testing.T) {
	cmd := step(t, "hang")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if limited, _ := runToEnd(cmd, 500*time.Millisecond); !limited || !strings.Contains(stderr.String(), "goroutine ") {
		t.Errorf("limited %v, standard error %q", limited, stderr.String())
	}
}

func TestStreamCarriesEveryByte(t *testing.T) {
	var console bytes.Buffer
	r := &runner{frames: kernelmatrix.NewFrameWriter(&console)}
	s, err := r.newStream(3, kernelmatrix.KindErr)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("\x00\xff ring3:{\n", 5000)
	if _, err := s.write.WriteString(want); err != nil {
		t.Fatal(err)
	}
	s.drain()
	var got []byte
	for line := range strings.Lines(console.String()) {
		var f kernelmatrix.Frame
		if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ring3:")), &f); err != nil {
			t.Fatal(err)
		}
		if f.Step != 3 || f.Kind != kernelmatrix.KindErr {
			t.Fatalf("frame %+v", f)
		}
		got = append(got, f.Data...)
	}
	if string(got) != want {
		t.Errorf("%d bytes arrived of %d, or others", len(got), len(want))
	}
}

func TestBeatGoesOnUntilStopped(t *testing.T) {
	var console bytes.Buffer
	r := &runner{frames: kernelmatrix.NewFrameWriter(&console)}
	stop := r.beat()
	stop() // returns only when nothing writes any more
	if console.Len() != 0 {
		t.Errorf("a beat before the interval: %q", console.String())
	}
}
