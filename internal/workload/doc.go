// Package workload holds programs whose page faults and context switches are
// known beforehand. They are the cause against which the tests of the observers
// hold their witness.
//
// A workload runs in a process of its own. So that the tests need nothing but
// Go, that process is the test binary once more: a TestMain hands over to [Main]
// before it does anything else, and [Command] builds the argument list that
// makes Main run a workload instead of the tests.
//
//	func TestMain(m *testing.M) {
//		workload.Main()
//		os.Exit(m.Run())
//	}
//
//	func TestCountsEveryTouch(t *testing.T) {
//		argv := workload.Command("touch", "4MiB")
//		cmd := exec.Command(argv[0], argv[1:]...)
//		…
//
// The environment variable RING3_WORKLOAD="touch 4MiB" does the same by hand,
// and cmd/work is a program that does nothing else. [Start] runs a workload that
// stops before and after its body, so that an observer can attach in between.
//
// # Counts
//
// The body of a workload runs on the first thread of its process (thread id and
// process id are equal), with the garbage collector off and preemption signals
// blocked there. Each workload documents what its body adds to the kernel's
// counters. The Go runtime adds its own around it: some hundred minor faults and
// some tens of switches before the body, a handful of either in it. Option
// -report measures the body with getrusage(2); see [Report].
//
// Under the race detector a process sleeps for a second before it exits, unless
// GORACE=atexit_sleep_ms=0 is in its environment.
//
// # Conditions
//
// Linux on amd64 or arm64; elsewhere every workload ends with exit code 3. No
// workload needs a privilege. The functions for the parent ([Command], [Start],
// the methods of [Child]) return errors and may be used from any goroutine, a
// Child from one at a time. This is a package for tests: nothing else imports it.
package workload
