package epoll

import "fmt"

// A Token names one registration with a [Poller]: the slot that it has, in the low 32 bits, and in the high
// ones the slot's generation, which is another for each registration. No two registrations of a Poller have
// the same Token, ever: a slot whose generations are used up is not used again.
//
// The zero Token names none.
type Token uint64

func newToken(slot, generation uint32) Token { return Token(generation)<<32 | Token(slot) }

// Slot is a small number that no other present registration of the Poller has: slots are handed out from 1
// and used again, so a slice can hold what belongs to each. Compare the whole Token with the one that is
// expected there before trusting it.
func (t Token) Slot() int { return int(uint32(t)) }

func (t Token) generation() uint32 { return uint32(t >> 32) }

// String gives slot and generation: "7#3".
func (t Token) String() string { return fmt.Sprintf("%d#%d", t.Slot(), t.generation()) }
