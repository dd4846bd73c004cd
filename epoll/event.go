package epoll

import "fmt"

// An Event says which conditions are met for one registration.
type Event struct {
	events Events
	_      [eventPadding]byte
	// The kernel's epoll_data, in two halves: as one word it would need an alignment that the packed
	// structure of amd64 has not.
	slot, generation uint32
}

// Token names the registration.
func (e *Event) Token() Token { return newToken(e.slot, e.generation) }

// Events returns the conditions that are met.
func (e *Event) Events() Events { return e.events }

// String gives both: "7#3 IN|RDHUP".
func (e *Event) String() string { return fmt.Sprintf("%v %v", e.Token(), e.events) }
