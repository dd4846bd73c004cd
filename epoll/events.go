package epoll

import (
	"fmt"
	"strings"
)

// Events is a set of conditions: those to wait for, with the mode of the registration, and those that are met.
// Source: epoll_ctl(2), include/uapi/linux/eventpoll.h.
type Events uint32

// Conditions. [Err] and [Hup] are always waited for.
const (
	In    Events = 0x1    // reading does not block: data, a connection to accept, or the end
	Pri   Events = 0x2    // an exceptional condition: urgent data on TCP, a change of a cgroup file
	Out   Events = 0x4    // writing does not block
	Err   Events = 0x8    // an error is pending, or the reader of a pipe is gone
	Hup   Events = 0x10   // both directions are shut down, or the writer of a pipe is gone
	RdHup Events = 0x2000 // the peer has shut down its writing half
)

// Modes of a registration. Without one it is level-triggered: reported at each wait for as long as it holds.
const (
	// Exclusive wakes one or few of the pollers that have the same descriptor, not all. With [Poller.Add]
	// alone: such a registration cannot be modified. Since Linux 4.5.
	Exclusive Events = 1 << 28
	// WakeUp keeps the system from suspending while the event is handled. CAP_BLOCK_SUSPEND. Since Linux 3.5.
	WakeUp Events = 1 << 29
	// OneShot disables the registration after one event, until [Poller.Modify].
	OneShot Events = 1 << 30
	// EdgeTriggered reports a condition when it comes to hold, and again when more arrives: read or write until EAGAIN.
	EdgeTriggered Events = 1 << 31
)

var eventNames = []struct {
	bit  Events
	name string
}{
	{In, "IN"}, {Pri, "PRI"}, {Out, "OUT"}, {Err, "ERR"}, {Hup, "HUP"}, {RdHup, "RDHUP"},
	{Exclusive, "EXCLUSIVE"}, {WakeUp, "WAKEUP"}, {OneShot, "ONESHOT"}, {EdgeTriggered, "ET"},
}

// String gives the kernel's names without their prefix, "IN|RDHUP", and what has none in hexadecimal.
func (e Events) String() string {
	var names []string
	for _, n := range eventNames {
		if e&n.bit != 0 {
			names = append(names, n.name)
			e &^= n.bit
		}
	}
	if e != 0 || names == nil {
		names = append(names, fmt.Sprintf("%#x", uint32(e)))
	}
	return strings.Join(names, "|")
}
