package mmu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A WorkingSet is the memory that a process used in a span of time, in bytes.
type WorkingSet struct {
	// Elapsed is how long that was, between the middle of clearing and the middle of reading.
	Elapsed time.Duration
	// Resident is all that was resident at the end, and Referenced what of it was accessed.
	Resident, Referenced uint64
	// Written is what was written to, where WrittenKnown: with CONFIG_MEM_SOFT_DIRTY, so not on arm64.
	Written      uint64
	WrittenKnown bool
}

// MeasureWorkingSet clears the marks that the processor sets in page tables at each access, waits for d and reads
// which are set again (/proc/PID/clear_refs). What the processor has in its translation buffer it may access
// without a mark, so for short spans Referenced is a lower bound.
//
// The marks are the kernel's too: it reclaims what is not marked, so under memory pressure the process may lose
// pages for being measured, and two measurements at a time disturb each other. Written counts pages that the
// process wrote to for the first time since ClearSoftDirty, which costs it a fault for each.
//
// Where ctx ends first the result is of the time until then, with the error of ctx. Privilege is that of
// [Maps], and clear_refs belongs to the user of the process.
func MeasureWorkingSet(ctx context.Context, pid int, d time.Duration) (WorkingSet, error) {
	var w WorkingSet
	softErr := ClearSoftDirty(pid)
	if softErr != nil && !errors.Is(softErr, errors.ErrUnsupported) {
		return w, softErr
	}
	began := time.Now()
	if err := ClearReferenced(pid); err != nil {
		return w, err
	}
	began = began.Add(time.Since(began) / 2)
	timer := time.NewTimer(d)
	defer timer.Stop()
	var ended error
	select {
	case <-timer.C:
	case <-ctx.Done():
		ended = ctx.Err()
	}
	reading := time.Now()
	sum, err := Rollup(pid)
	if err != nil {
		return w, err
	}
	w.Elapsed = reading.Add(time.Since(reading) / 2).Sub(began)
	w.Resident, w.Referenced = sum.Rss, sum.Referenced
	if softErr == nil {
		w.WrittenKnown = true
		w.Written, err = softDirtyBytes(pid)
	}
	return w, errors.Join(ended, err)
}

// softDirtyBytes adds up what is present and was written to.
func softDirtyBytes(pid int) (sum uint64, err error) {
	const both = CategoryPresent | CategorySoftDirty
	for r, err := range Scan(pid, ScanOptions{All: both, Return: both}) {
		if err != nil {
			return sum, err
		}
		sum += r.Size()
	}
	return sum, nil
}

// ClearReferenced clears the marks of access in the page tables of a process: [Detail.Referenced] counts from
// here. See proc(5), /proc/PID/clear_refs.
func ClearReferenced(pid int) error { return clearRefs(pid, "1") }

// ClearSoftDirty clears [Page.SoftDirty] of all pages of a process and write-protects them, so that the first
// store to each faults and sets it. The error matches [errors.ErrUnsupported] where the kernel does not keep it.
func ClearSoftDirty(pid int) error {
	kept, err := softDirtyKept()
	if err != nil {
		return err
	}
	if !kept {
		return fmt.Errorf("soft-dirty pages: kernel without CONFIG_MEM_SOFT_DIRTY: %w", errors.ErrUnsupported)
	}
	return clearRefs(pid, "4")
}

func clearRefs(pid int, what string) error {
	f, err := os.OpenFile(procFile(pid, "clear_refs"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, what)
	return errors.Join(err, f.Close())
}

// softDirtyKept looks at a page that has just been written to: every new mapping is soft-dirty.
func softDirtyKept() (bool, error) {
	m, err := NewAnonymous(os.Getpagesize(), MapOptions{})
	if err != nil {
		return false, err
	}
	defer m.Close()
	if err := m.Populate(0, m.Len(), true); err != nil {
		return false, err
	}
	p, err := Translate(0, m.Addr())
	return p.SoftDirty, err
}
