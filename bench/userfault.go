//go:build linux

package main

import (
	"encoding/binary"
	"os"
	"strconv"

	"github.com/ring3-go/ring3/pagefault"
)

// userfaultMissing compares what a missing page costs that the program itself serves.
func userfaultMissing() Benchmark {
	const n = 30_000
	return Benchmark{
		Group: "faults", Name: "userfault-missing", Unit: Nanoseconds, Per: "fault",
		What:       "userfaultfd, " + strconv.Itoa(n) + " missing pages served one after another",
		Ours:       Subject{Label: "ring3", Measure: func(e *Env) (Sample, error) { return servePages(e, n) }},
		References: []Reference{{c("C handler thread", "uffd", strconv.Itoa(n)), 1.10}},
	}
}

// servePages reads a word from each page of a region. The handler writes one, as the reference does.
func servePages(e *Env, n int) (s Sample, err error) {
	page := int64(os.Getpagesize())
	region, err := pagefault.Serve(pagefault.ServeOptions{Size: int64(n) * page, Handler: func(r *pagefault.Request) error {
		binary.NativeEndian.PutUint64(r.Page, uint64(r.Offset))
		return nil
	}})
	if err != nil {
		return s, err
	}
	defer region.Close()
	var failed error
	s, err = inProcess("", n, func(n int) {
		var b [8]byte
		for i := range n {
			if _, err := region.ReadAt(b[:], int64(i)*page); err != nil {
				failed = err
				return
			}
		}
	}).Measure(e)
	if failed != nil {
		return s, failed
	}
	return s, err
}
