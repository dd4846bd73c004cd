package litmus

import (
	"fmt"
	"strings"
)

// An Access is one instruction of a litmus test: it loads a variable, or stores a value to it.
type Access struct {
	Store bool
	Var   int    // 0 is x, 1 is y
	Value uint64 // what is stored: at most 3
}

func (a Access) String() string {
	name := "x"
	if a.Var != x {
		name = "y"
	}
	if a.Store {
		return fmt.Sprintf("%s = %d", name, a.Value)
	}
	return "read " + name
}

// A Test is a litmus test. Its variables x and y are 0 before each round and lie in cache lines of their own.
type Test struct {
	Name string
	// Threads are what each of one to four threads does, in program order: one store, or two accesses, of which
	// one is to x and the other to y. A fence goes between the two.
	Threads [][]Access
	// Final says that x and y at the end are part of the outcome, after what was loaded.
	Final bool
	// Weak is the outcome that the test is about: no order of whole threads, and no interleaving of their
	// accesses, explains it.
	Weak Outcome
	// Meaning says what a thread would have to do for the weak outcome.
	Meaning string
}

// An Outcome is how one round ended: what was loaded, thread by thread in program order, then x and y where
// the test asks for them. Each is a digit of two bits, the first the lowest.
type Outcome uint16

// maxDigits is how many an outcome has room for.
const maxDigits = 6

// check returns what keeps the test from being carried out.
func (t Test) check() error {
	if n := len(t.Threads); n < 1 || n > 4 {
		return fmt.Errorf("litmus test %s: %d threads", t.Name, n)
	}
	digits := t.loads()
	if t.Final {
		digits += 2
	}
	if digits > maxDigits {
		return fmt.Errorf("litmus test %s: an outcome of %d values", t.Name, digits)
	}
	for i, thread := range t.Threads {
		one := len(thread) == 1 && thread[0].Store
		two := len(thread) == 2 && thread[0].Var != thread[1].Var
		if !one && !two {
			return fmt.Errorf("litmus test %s: thread %d is neither one store nor accesses to x and y", t.Name, i)
		}
		for _, a := range thread {
			if a.Var < x || a.Var > y || a.Value > 3 {
				return fmt.Errorf("litmus test %s: thread %d: variable %d, value %d", t.Name, i, a.Var, a.Value)
			}
		}
	}
	return nil
}

// digits packs values into an outcome.
func digits(values ...uint64) Outcome {
	var o Outcome
	for i, v := range values {
		o |= Outcome(v&3) << (2 * i)
	}
	return o
}

// Show writes an outcome of t as "r0=0 r1=1 x=2 y=1".
func (t Test) Show(o Outcome) string {
	var parts []string
	for i := range t.loads() {
		parts = append(parts, fmt.Sprintf("r%d=%d", i, o>>(2*i)&3))
	}
	if t.Final {
		n := 2 * t.loads()
		parts = append(parts, fmt.Sprintf("x=%d y=%d", o>>n&3, o>>(n+2)&3))
	}
	return strings.Join(parts, " ")
}

// loads is the number of loads, and so of registers in an outcome.
func (t Test) loads() int {
	n := 0
	for _, thread := range t.Threads {
		for _, a := range thread {
			if !a.Store {
				n++
			}
		}
	}
	return n
}

const x, y = 0, 1

func store(name int, value uint64) Access { return Access{Store: true, Var: name, Value: value} }
func load(name int) Access                { return Access{Var: name} }

// Tests returns the classic tests, under the names that the literature gives them.
func Tests() []Test {
	return []Test{
		{
			Name:    "SB", // store buffering
			Threads: [][]Access{{store(x, 1), load(y)}, {store(y, 1), load(x)}},
			Weak:    digits(0, 0),
			Meaning: "both load before their own store is seen: it waits in the store buffer",
		}, {
			Name:    "LB", // load buffering
			Threads: [][]Access{{load(x), store(y, 1)}, {load(y), store(x, 1)}},
			Weak:    digits(1, 1),
			Meaning: "both loads see a store that comes after the other's load",
		}, {
			Name:    "MP", // message passing
			Threads: [][]Access{{store(x, 1), store(y, 1)}, {load(y), load(x)}},
			Weak:    digits(1, 0),
			Meaning: "the flag y is seen and the data x is not",
		}, {
			Name:    "S",
			Threads: [][]Access{{store(x, 2), store(y, 1)}, {load(y), store(x, 1)}},
			Final:   true,
			Weak:    digits(1, 2, 1),
			Meaning: "a store made after seeing y is overwritten by one made before y",
		}, {
			Name:    "R",
			Threads: [][]Access{{store(x, 1), store(y, 1)}, {store(y, 2), load(x)}},
			Final:   true,
			Weak:    digits(0, 1, 2),
			Meaning: "a load after the last store to y misses what came before the first",
		}, {
			Name:    "2+2W",
			Threads: [][]Access{{store(x, 1), store(y, 2)}, {store(y, 1), store(x, 2)}},
			Final:   true,
			Weak:    digits(1, 1),
			Meaning: "the first store of each thread is the last to arrive",
		}, {
			Name:    "IRIW", // independent reads of independent writes
			Threads: [][]Access{{store(x, 1)}, {store(y, 1)}, {load(x), load(y)}, {load(y), load(x)}},
			Weak:    digits(1, 0, 1, 0),
			Meaning: "two readers see two stores in opposite orders",
		},
	}
}
