//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"

	"github.com/ring3-go/ring3/pagefault"
)

// userfaultMissing compares what a missing page costs that the program itself serves, touched one by one.
func userfaultMissing() Benchmark {
	const n = 30_000
	return Benchmark{
		Group: "faults", Name: "userfault-missing", Unit: Nanoseconds, Per: "fault",
		What:       "userfaultfd, " + strconv.Itoa(n) + " missing pages touched one by one",
		Ours:       Subject{Label: "ring3", Measure: func(e *Env) (Sample, error) { return servePages(e, n, 8, os.Getpagesize()) }},
		References: []Reference{{c("C handler thread", "uffd", strconv.Itoa(n), "0"), 1.10}},
	}
}

// userfaultRead compares the same where the memory is read in larger pieces.
func userfaultRead() Benchmark {
	const n, chunk = 32_768, 64 << 10
	return Benchmark{
		Group: "faults", Name: "userfault-read", Unit: Nanoseconds, Per: "fault",
		What:       "userfaultfd, " + strconv.Itoa(n) + " missing pages read 64 KiB at a time",
		Ours:       Subject{Label: "ring3", Measure: func(e *Env) (Sample, error) { return servePages(e, n, chunk, chunk) }},
		References: []Reference{{c("C handler thread", "uffd", strconv.Itoa(n), strconv.Itoa(chunk)), 1.10}},
	}
}

// servePages reads size bytes in each step from a region of n pages. The handler writes a word to each page, as the
// reference does.
func servePages(e *Env, n, size, step int) (s Sample, err error) {
	length := int64(n) * int64(os.Getpagesize())
	region, err := pagefault.Serve(pagefault.ServeOptions{Size: length, Handler: func(r *pagefault.Request) error {
		binary.NativeEndian.PutUint64(r.Page, uint64(r.Offset))
		return nil
	}})
	if err != nil {
		return s, err
	}
	defer region.Close()
	var failed error
	b := make([]byte, size)
	s, err = inProcess("", n, func(int) {
		for at := int64(0); at < length; at += int64(step) {
			if _, err := region.ReadAt(b, at); err != nil {
				failed = err
				return
			}
		}
	}).Measure(e)
	return s, errors.Join(err, failed)
}
