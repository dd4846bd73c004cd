package workload

// Counts are the kernel's counters of a thread or of processes, from getrusage(2).
type Counts struct {
	MinorFaults int64 `json:"minflt"`
	MajorFaults int64 `json:"majflt"`
	Voluntary   int64 `json:"nvcsw"`  // switches of a thread that waits
	Involuntary int64 `json:"nivcsw"` // switches of a thread that could run on
}

func (c Counts) plus(d Counts) Counts {
	return Counts{
		MinorFaults: c.MinorFaults + d.MinorFaults,
		MajorFaults: c.MajorFaults + d.MajorFaults,
		Voluntary:   c.Voluntary + d.Voluntary,
		Involuntary: c.Involuntary + d.Involuntary,
	}
}

func (c Counts) minus(d Counts) Counts {
	return c.plus(Counts{-d.MinorFaults, -d.MajorFaults, -d.Voluntary, -d.Involuntary})
}

// A Phase is a named part of a body, as counted on its first thread.
type Phase struct {
	Name   string `json:"name"`
	Counts Counts `json:"counts"`
}

// A Report is what a workload says of itself with option -report: one line of
// JSON, written when the body has ended and before "done".
type Report struct {
	Workload string `json:"workload"`

	// Thread is what the body added on the thread that ran it.
	Thread Counts `json:"thread"`
	// Workers is the sum over the other threads that the body made, each
	// counted over its part alone: nothing of the runtime's is in it.
	Workers Counts `json:"workers"`
	// Process is what the body added on all threads, the runtime's included.
	Process Counts `json:"process"`
	// Children is the whole life of the descendants that the body reaped.
	Children Counts `json:"children"`
	// Total is the process so far: the start of the runtime and the body.
	Total Counts `json:"total"`

	// Phases are the parts of a body that has several.
	Phases []Phase `json:"phases,omitempty"`
}

// Phase returns the counts of the phase of that name, zero if there is none.
func (r *Report) Phase(name string) Counts {
	for _, p := range r.Phases {
		if p.Name == name {
			return p.Counts
		}
	}
	return Counts{}
}
