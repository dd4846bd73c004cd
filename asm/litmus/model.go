package litmus

// A model is a memory model, as far as it concerns threads of two accesses to different variables: which
// program order of a pair others may see reversed. Stores of all three reach all other processors at the
// same moment ("multi-copy atomic"), so that the rest is interleaving.
type model struct {
	name string
	// reorders tells whether first and second, of one thread and without a fence, may change places.
	reorders func(first, second Access) bool
}

// sequentialConsistency is what a programmer would like: no pair is reversed.
var sequentialConsistency = model{"SC", func(_, _ Access) bool { return false }}

// tso is amd64's: a store may wait in the store buffer while a later load is served. Nothing else.
var tso = model{"x86-TSO", func(first, second Access) bool { return first.Store && !second.Store }}

// armv8 is arm64's: without a fence or a dependency, two accesses to different variables have no order.
var armv8 = model{"ARMv8", func(_, _ Access) bool { return true }}

// allowed returns every outcome that the model allows, with a full fence between the accesses of each thread
// or without. It is the twin of the assembly: it carries the test out in every order that there is.
func (m model) allowed(t Test, fenced bool) map[Outcome]bool {
	e := execution{test: t, allowed: make(map[Outcome]bool)}
	for _, thread := range t.Threads {
		n := len(thread)
		e.next = append(e.next, 0)
		e.order = append(e.order, [2]int{0, 1})
		e.seen = append(e.seen, [2]uint64{})
		e.mayReverse = append(e.mayReverse, n == 2 && !fenced && m.reorders(thread[0], thread[1]))
	}
	e.reverse(0)
	return e.allowed
}

// An execution is a test half way through.
type execution struct {
	test       Test
	mayReverse []bool
	order      [][2]int    // of each thread: the accesses in the order in which memory sees them
	next       []int       // of each thread: how many memory has seen
	seen       [][2]uint64 // of each thread: what its loads found
	memory     [2]uint64   // x and y
	allowed    map[Outcome]bool
}

// reverse tries both orders of the accesses of each thread from i on, where both may be.
func (e *execution) reverse(i int) {
	if i == len(e.order) {
		e.interleave()
		return
	}
	e.order[i] = [2]int{0, 1}
	e.reverse(i + 1)
	if e.mayReverse[i] {
		e.order[i] = [2]int{1, 0}
		e.reverse(i + 1)
	}
}

// interleave lets each thread that has an access left make it next, and goes on from there.
func (e *execution) interleave() {
	end := true
	for i, thread := range e.test.Threads {
		if e.next[i] == len(thread) {
			continue
		}
		end = false
		at := e.order[i][e.next[i]]
		a, memory := thread[at], e.memory
		if a.Store {
			e.memory[a.Var] = a.Value
		} else {
			e.seen[i][at] = e.memory[a.Var]
		}
		e.next[i]++
		e.interleave()
		e.next[i]--
		e.memory = memory
	}
	if end {
		e.allowed[e.test.outcome(e.seen, e.memory)] = true
	}
}

// outcome packs what the loads of each thread found and what memory held at the end.
func (t Test) outcome(seen [][2]uint64, memory [2]uint64) Outcome {
	var values [maxDigits]uint64
	n := 0
	for i, thread := range t.Threads {
		for at, a := range thread {
			if !a.Store {
				values[n] = seen[i][at]
				n++
			}
		}
	}
	if t.Final {
		n += copy(values[n:], memory[:])
	}
	return digits(values[:n]...)
}
