package reactor

import "fmt"

// Options are for [New]. The zero value is usable.
type Options struct {
	// Driver is what the loop waits with.
	Driver Driver
	// Pin keeps the loop's thread on the processor CPU while it runs.
	Pin bool
	CPU int
	// ReadBuffer is how many bytes Data gets at most. 64 KiB if 0.
	ReadBuffer int
	// HighWater is how many bytes of output a connection may keep before it is not read from any more;
	// LowWater is where that ends and Handler.Drained is called. 256 KiB and a quarter of HighWater if 0.
	HighWater, LowWater int
	// WriteLimit is how many bytes of output a connection keeps at most. 16 MiB if 0.
	WriteLimit int
	// Report is called on the loop with errors that no handler hears of: a listener that cannot accept for
	// want of descriptors, a posted function that panicked. Nothing is reported if nil.
	Report func(error)
}

// A Driver is what a loop waits with.
type Driver int

// Drivers.
const (
	Auto    Driver = iota // the best that works here, found by trying; Loop.Driver says which and why
	Epoll                 // readiness: try, then wait
	IOURing               // completion: submit, then reap; since 6.0, where nothing forbids it
)

// String gives the name as in the constant, in lower case.
func (d Driver) String() string {
	switch d {
	case Auto:
		return "auto"
	case Epoll:
		return "epoll"
	case IOURing:
		return "io_uring"
	}
	return fmt.Sprintf("Driver(%d)", int(d))
}

func (o *Options) fill() error {
	for _, v := range []struct {
		name  string
		value int
	}{
		{"CPU", o.CPU}, {"ReadBuffer", o.ReadBuffer}, {"HighWater", o.HighWater}, {"LowWater", o.LowWater}, {"WriteLimit", o.WriteLimit},
	} {
		if v.value < 0 {
			return fmt.Errorf("reactor: Options.%s is %d", v.name, v.value)
		}
	}
	setDefault := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	setDefault(&o.ReadBuffer, 64<<10)
	setDefault(&o.HighWater, 256<<10)
	setDefault(&o.LowWater, o.HighWater/4)
	setDefault(&o.WriteLimit, max(16<<20, o.HighWater))
	if o.LowWater > o.HighWater || o.HighWater > o.WriteLimit {
		return fmt.Errorf("reactor: LowWater %d, HighWater %d and WriteLimit %d are not in this order", o.LowWater, o.HighWater, o.WriteLimit)
	}
	return nil
}
