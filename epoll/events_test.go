package epoll

import (
	"math"
	"testing"
)

func TestEventsAreWrittenByTheirNames(t *testing.T) {
	for e, want := range map[Events]string{
		0: "0x0", In: "IN", In | RdHup: "IN|RDHUP", Out | EdgeTriggered | OneShot: "OUT|ONESHOT|ET",
		Err | Hup | Pri: "PRI|ERR|HUP", Exclusive | WakeUp: "EXCLUSIVE|WAKEUP", In | 0x400: "IN|0x400",
	} {
		if got := e.String(); got != want {
			t.Errorf("%#x: %q; want %q", uint32(e), got, want)
		}
	}
}

func TestTokensAreNeverUsedAgain(t *testing.T) {
	var tb table
	tok := tb.next()
	tb.add(5)
	if tok.String() != "1#1" || tb.get(tok) == nil || tb.get(0) != nil {
		t.Fatal(tok)
	}
	// As if the slot had been used as often as it can be.
	tb.slots[1].generation = math.MaxUint32
	last := newToken(1, math.MaxUint32)
	tb.remove(last)
	if tb.get(last) != nil {
		t.Error("it is there after it has ended")
	}
	if next := tb.next(); next.Slot() != 2 {
		t.Errorf("next token %v; its slot is used up", next)
	}
}
