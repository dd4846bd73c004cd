//go:build linux

package main

// A Benchmark measures one thing of ring3 and the same thing of others, side by side.
type Benchmark struct {
	Group string
	Name  string
	What  string // one line
	Unit  Unit
	Per   string // what a value is per: "switch"; empty where it is a total

	Ours       Subject
	References []Reference
	// Prepare makes what every subject needs, once; what it returns undoes that. It may be nil. Its missingError
	// is that of every subject.
	Prepare func(*Env) (undo func(), err error)
}

// A Unit says what a measured number is.
type Unit string

// The units.
const (
	Nanoseconds Unit = "ns"
	Bytes       Unit = "bytes"
	Calls       Unit = "system calls"
)

// A Subject is one thing that can be measured.
type Subject struct {
	Label string
	// Needs is a program that must be installed; without it the subject is reported as missing.
	Needs string
	// Library is a file that gcc must find among its libraries, likewise; it may be empty.
	Library string
	// Measure makes one run. It leaves nothing running.
	Measure func(*Env) (Sample, error)
}

// A Reference is what to be compared with. Target is the ratio, ours to the reference, to stay at or
// below; 0 is for information.
type Reference struct {
	Subject
	Target float64
}

// A Sample is the result of one run.
type Sample struct {
	Value float64 // in the benchmark's unit
	Parts []Part  // what it is made of; may be empty
}

// A Part is one eBPF program's share of a sample.
type Part struct {
	Name         string  `json:"name"`
	RunsPerEvent float64 `json:"runs_per_event"`
	NsPerRun     float64 `json:"ns_per_run"`
}

// benchmarks is everything that there is, in the order of the report.
func benchmarks() []Benchmark {
	return []Benchmark{
		rawCall(),
		clock(),
		uringNop(1, 500_000),
		uringNop(32, 2_000_000),
		uringNop(4096, 4_096_000),
		uringRead(1, 250_000),
		uringRead(32, 320_000),
		uringRead(128, 320_000),
		echoTCP(64, 200_000, byClock),
		echoTCP(64, 200_000, byProcessorTime),
		echoTCP(1000, 200_000, byClock),
		echoTCP(1000, 200_000, byProcessorTime),
		echoUring(64, 200_000, byClock),
		echoUring(64, 200_000, byProcessorTime),
		echoUring(1000, 200_000, byClock),
		echoUring(1000, 200_000, byProcessorTime),
		echoUring(10_000, 400_000, byClock),
		echoUring(10_000, 400_000, byProcessorTime),
		echoCalls(),
		echoIdle(),
		fiberSwitch(),
		threeWays(),
		guardedCopy(),
		pagemapScan(),
		userfaultMissing(),
		userfaultRead(),
		userfaultRemote(),
		observerSwitch(),
		observerFault(),
		observerStart(),
		observerStartFault(),
		observerMemory(),
		observerMemoryFault(),
	}
}
