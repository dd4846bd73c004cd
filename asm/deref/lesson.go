//go:build linux

package deref

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/ring3-go/ring3/asm"
)

//go:embed README.md doc.go deref.go lesson.go pages.go pages_amd64.go pages_arm64.go *.s
var source embed.FS

// Lesson is this package as a lesson.
func Lesson() asm.Lesson {
	return asm.Lesson{
		Name:     "deref",
		Question: "What is a pointer to the processor, and what happens where it points at nothing?",
		Source:   source,
		Functions: []asm.Function{
			{Name: "Number", Entry: numberEntry, Call: func() { TryNumber() }},
			{Name: "Load64", Entry: load64Entry, Call: func() {
				v := new(uint64)
				*v = 42
				Load64(uintptr(unsafe.Pointer(v)))
			}},
			{Name: "Store64", Entry: store64Entry, Call: func() {
				v := new(uint64)
				Store64(uintptr(unsafe.Pointer(v)), 42)
			}},
			{Name: "LoadIndex", Entry: loadIndexEntry, Call: func() {
				squares := &[8]uint64{0, 1, 4, 9, 16, 25, 36, 49}
				LoadIndex(uintptr(unsafe.Pointer(squares)), 6)
			}},
			{Name: "Load8", Entry: load8Entry, Call: func() {
				text := []byte("pointer")
				Load8(uintptr(unsafe.Pointer(unsafe.SliceData(text))))
			}},
		},
		Run: run,
	}
}

// A trial is an address, and what is to be found out about it.
type trial struct {
	addr  uintptr
	what  string
	store bool
}

// run tries one address after another.
func run(ctx context.Context, w io.Writer) (err error) {
	p, err := newPages()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	Store64(p.data, 42)

	if _, err := fmt.Fprintf(w, "addresses of %d bits\n\n%-5s  %-18s  %-46s  %s\n", addressBits(), "", "address", "what it is", "what happened"); err != nil {
		return err
	}
	for _, t := range trials(p) {
		if err := ctx.Err(); err != nil {
			return err
		}
		op := "load"
		if t.store {
			op = "store"
		}
		if _, err := fmt.Fprintf(w, "%-5s  %#-18x  %-46s  %s\n", op, t.addr, t.what, t.outcome()); err != nil {
			return err
		}
	}
	return nil
}

// trials are the good addresses, then the bad ones.
func trials(p *pages) []trial {
	return []trial{
		{addr: p.data, what: "a page of our own; 42 is there"},
		{addr: p.data + 3, what: "the same, not aligned: no matter"},
		{addr: p.data, what: "the same", store: true},
		{addr: 0, what: "nil"},
		{addr: 8, what: "a field behind nil"},
		{addr: 0x1000, what: "the second page, never mapped"},
		{addr: 99999999999999, what: "a number: well-formed, nothing there"},
		{addr: 1111111111111111, what: "a number: " + form()},
		{addr: 0xffff_8000_0000_0000, what: "the kernel's half"},
		{addr: 0xffff_ffff_ff60_0000, what: kernelPage},
		{addr: p.closed, what: "mapped, access forbidden (PROT_NONE)"},
		{addr: p.readOnly, what: "mapped for reading"},
		{addr: p.readOnly, what: "mapped for reading", store: true},
		{addr: p.closed - 4, what: "four bytes on a good page, four on a bad one"},
		{addr: p.beyond, what: "mapped file, beyond its end (SIGBUS)"},
	}
}

// outcome makes the access and says how it went.
func (t trial) outcome() string {
	var v uint64
	var err error
	if t.store {
		err = TryStore64(t.addr, 43)
	} else {
		v, err = TryLoad64(t.addr)
	}
	var fault *FaultError
	switch {
	case err == nil && t.store:
		return "stored"
	case err == nil:
		return fmt.Sprintf("%#x", v)
	case !errors.As(err, &fault):
		return err.Error()
	case !fault.Known:
		return "nil panic"
	case fault.Reported == t.addr:
		return "fault, there"
	case fault.Reported == 0:
		return "fault, no address"
	case fault.Reported-t.addr < 8:
		return fmt.Sprintf("fault, at +%d", fault.Reported-t.addr)
	}
	return fmt.Sprintf("fault, at %#x", fault.Reported)
}
