package pagefault

import "runtime"

// A Backend is a way to see faults. The better ones see more and are tried first.
type Backend string

// The back ends, best first.
const (
	// BackendFentry hooks handle_mm_fault itself: every fault, get_user_pages included. Needs a kernel
	// with trampolines (CONFIG_FUNCTION_TRACER; amd64 5.5, arm64 6.4).
	BackendFentry Backend = "fentry"
	// BackendTracepoint takes the exception from BTF tracepoints (amd64) and its end from software perf
	// events.
	BackendTracepoint Backend = "btf-tracepoint+perf"
	// BackendPerf takes both from software perf events: no access, so hardly an event, can be told.
	BackendPerf Backend = "perf"
	// BackendProcfs reads what the kernel counted, without privilege: minor and major, nothing else.
	BackendProcfs Backend = "procfs"
)

// CannotTell says, a phrase each, what this back end does not know.
func (b Backend) CannotTell() []string {
	const outside = "failed faults outside the program's half of the addresses"
	switch b {
	case BackendFentry:
		if runtime.GOARCH == "arm64" { // their beginning is a perf event's, too
			return []string{outside}
		}
	case BackendTracepoint:
		return []string{"class of faults without an exception (counted as exec or unseen)"}
	case BackendPerf:
		return []string{
			"read, write or execute", "first touch or copy-on-write", outside,
			"class of faults without an exception (counted as exec or unseen)",
		}
	case BackendProcfs:
		return []string{"classes", "handler time", "failed faults", "faults without an exception apart from others"}
	}
	return nil
}
