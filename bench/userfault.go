//go:build linux

package main

import "strconv"

// userfaultMissing compares what a missing page costs that the program itself serves, touched one by one.
func userfaultMissing() Benchmark {
	const n = 30_000
	return Benchmark{
		Group: "faults", Name: "userfault-missing", Unit: Nanoseconds, Per: "fault",
		What: "userfaultfd, " + strconv.Itoa(n) + " missing pages touched one by one",
		Ours: faultserver("here", n, 0),
		References: []Reference{
			{c("C handler thread", "uffd", strconv.Itoa(n), "0"), 1.10},
			// Asked for as ours are: what is left is the handler's.
			{c("C, MADV_POPULATE_READ", "uffd", strconv.Itoa(n), "0", "populate"), 0},
		},
	}
}

// userfaultRead compares the same where the memory is read in larger pieces.
func userfaultRead() Benchmark {
	const n, chunk = 32_768, 64 << 10
	return Benchmark{
		Group: "faults", Name: "userfault-read", Unit: Nanoseconds, Per: "fault",
		What:       "userfaultfd, " + strconv.Itoa(n) + " missing pages read 64 KiB at a time",
		Ours:       faultserver("here", n, chunk),
		References: []Reference{{c("C handler thread", "uffd", strconv.Itoa(n), strconv.Itoa(chunk)), 1.10}},
	}
}

// userfaultRemote compares a handler in another process, which leaves the memory itself to be touched, with a thread.
func userfaultRemote() Benchmark {
	const n = 30_000
	return Benchmark{
		Group: "faults", Name: "userfault-remote", Unit: Nanoseconds, Per: "fault",
		What:       "userfaultfd, " + strconv.Itoa(n) + " missing pages, served elsewhere",
		Ours:       faultserver("elsewhere", n, 0),
		References: []Reference{{c("C handler thread", "uffd", strconv.Itoa(n), "0"), 1.10}},
	}
}

// faultserver is ours: a program of its own, on one processor like the reference. Where the two threads of either may be
// on two, who wakes an idle processor is measured.
func faultserver(where string, n, chunk int) Subject {
	return Subject{Label: "ring3", Measure: func(e *Env) (s Sample, err error) {
		path, err := e.Command("faultserver")
		if err != nil {
			return s, err
		}
		s.Value, err = e.number(path, where, strconv.Itoa(n), strconv.Itoa(chunk), strconv.Itoa(e.cpu))
		return s, err
	}}
}
