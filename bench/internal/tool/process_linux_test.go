package tool

import (
	"runtime"
	"strings"
	"testing"
)

func TestWaitLineGivesTheToolsOwnError(t *testing.T) {
	p, err := Start("sh", "-c", "echo no such probe >&2; exit 1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	_, err = p.WaitLine("first")
	if err == nil || !strings.Contains(err.Error(), "no such probe") {
		t.Errorf("WaitLine = %v; want the tool's words in it", err)
	}
}

func TestPeakRSSIsOfTheProcessItself(t *testing.T) {
	const held = 64 << 20
	ballast := make([]byte, held)
	for i := 0; i < held; i += 4096 {
		ballast[i] = 1
	}
	p, err := Start("sh", "-c", "echo up; read line")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if _, err := p.WaitLine("up"); err != nil {
		t.Fatal(err)
	}
	peak, err := p.PeakRSS()
	if err != nil {
		t.Fatal(err)
	}
	if peak == 0 || peak >= held {
		t.Errorf("PeakRSS of a shell = %d; its parent holds %d", peak, len(ballast))
	}
	runtime.KeepAlive(ballast)
}

func TestStopMayBeCalledAfterTheEnd(t *testing.T) {
	p, err := Start("true")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.WaitLine("nothing"); err == nil {
		t.Fatal("true printed a line")
	}
	for range 2 {
		if err := p.Stop(); err != nil {
			t.Errorf("Stop = %v", err)
		}
	}
}
