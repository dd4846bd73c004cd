//go:build amd64 || arm64

package vdso

import "runtime"

// An Entry tells where a call of this package goes.
type Entry struct {
	Symbol Symbol // the function of the vDSO; zero where the real call is made
	Err    error  // why the real call is made; nil where it is not
}

// VDSO reports whether the vDSO answers the call, and the kernel is not entered.
func (e Entry) VDSO() bool { return e.Err == nil }

// Entries has an [Entry] for each call.
type Entries struct{ ClockGettime, Gettimeofday, Getcpu, Getrandom Entry }

// Resolved tells what the calls of this package do in this process. It is found out once, by the first of them,
// and does not change.
func Resolved() Entries {
	once.Do(resolve)
	return entries
}

// symbols are the names in the vDSO. Arm64's has no getcpu, and the name is that which it would have.
var symbols = map[string][4]string{
	"amd64": {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_getcpu", "__vdso_getrandom"},
	"arm64": {"__kernel_clock_gettime", "__kernel_gettimeofday", "__kernel_getcpu", "__kernel_getrandom"},
}

func resolve() {
	err := prepare()
	to := [4]struct {
		entry   *Entry
		address *uintptr
	}{
		{&entries.ClockGettime, &clockGettimeEntry},
		{&entries.Gettimeofday, &gettimeofdayEntry},
		{&entries.Getcpu, &getcpuEntry},
		{&entries.Getrandom, &getrandomEntry},
	}
	for i, name := range symbols[runtime.GOARCH] {
		e := to[i].entry
		if e.Err = err; err == nil {
			e.Symbol, e.Err = Lookup(name)
		}
		*to[i].address = e.Symbol.Addr
	}
}
