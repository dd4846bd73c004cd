package iouring

import "fmt"

// A Token names one operation of a ring: the slot that it has, in the low 32 bits, and in the high ones the
// slot's generation, which is another for each operation. No two operations of a ring have the same Token, ever:
// a slot whose generations are used up is not used again. It is the user_data of the operation.
//
// Generation 0 is none's. Tokens with it are messages: numbers that somebody chose, see [Message].
type Token uint64

// Message is the Token of a completion that no operation of the ring itself caused: n comes from another ring's
// MsgRing, from [PostMessage], or from a tag of a registered file or buffer.
func Message(n uint32) Token { return Token(n) }

func newToken(slot, generation uint32) Token { return Token(generation)<<32 | Token(slot) }

// Slot is a small number that no other operation in flight has: slots are handed out from 1 and used again, the
// latest first, so a slice can hold what belongs to each. For a message it is the number.
func (t Token) Slot() uint32 { return uint32(t) }

// IsMessage reports whether the Token is a message's.
func (t Token) IsMessage() bool { return t>>32 == 0 }

func (t Token) generation() uint32 { return uint32(t >> 32) }

// String gives slot and generation, "7#3", or "message 7".
func (t Token) String() string {
	if t.IsMessage() {
		return fmt.Sprintf("message %d", t.Slot())
	}
	return fmt.Sprintf("%d#%d", t.Slot(), t.generation())
}
