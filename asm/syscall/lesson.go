//go:build linux

package syscall

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm"
)

//go:embed README.md doc.go syscall.go vdso.go lesson.go *_amd64.go *_arm64.go *.s
var source embed.FS

// Lesson is this package as a lesson.
func Lesson() asm.Lesson {
	return asm.Lesson{
		Name:     "syscall",
		Question: "What is a system call, when all that is not it has been taken away?",
		Source:   source,
		Functions: []asm.Function{
			{Name: "Hello", Entry: helloEntry, Call: func() { Hello() }},
			{Name: "Write", Entry: writeEntry, Call: func() { // to nobody: EBADF
				text := []byte("nobody reads this\n")
				Write(-1, uintptr(unsafe.Pointer(unsafe.SliceData(text))), uint64(len(text)))
			}},
			{Name: "Nothing", Entry: nothingEntry, Call: func() { Nothing() }},
			{Name: "Kept", Entry: keptEntry, Call: func() { Kept() }},
			{Name: "call", Entry: callEntry, Call: func() {
				if c, err := NewClock(); err == nil {
					c.Now(unix.CLOCK_MONOTONIC)
				}
			}},
		},
		Run: run,
	}
}

func run(ctx context.Context, w io.Writer) error {
	return asm.Parts(ctx, w, pipe, errnos, kept, clocks)
}

// pipe writes to a pipe and reads what the kernel made of it.
func pipe(_ context.Context, w io.Writer) error {
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer from.Close()
	defer to.Close()
	n, err := Print(int(to.Fd()), []byte("by the instruction alone"))
	if err != nil {
		return err
	}
	got := make([]byte, 64)
	m, err := from.Read(got)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "write      to a pipe: %d, and its other end has %q\n", n, got[:m])
	return err
}

// errnos makes calls that fail.
func errnos(_ context.Context, w io.Writer) error {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer full.Close()
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer from.Close()
	defer to.Close()
	b := []byte("x")
	for _, c := range []struct {
		what   string
		answer int64
	}{
		{"write to descriptor -1", Write(-1, uintptr(unsafe.Pointer(&b[0])), 1)},
		{"write from address 8", Write(int64(to.Fd()), 8, 1)},
		{"write to a full device", Write(int64(full.Fd()), uintptr(unsafe.Pointer(&b[0])), 1)},
		{"no such call", Nothing()},
	} {
		errno, _ := errors.AsType[unix.Errno](Errno(c.answer))
		if _, err := fmt.Fprintf(w, "errno      %-28s %4d = -%s: %v\n", c.what+":", c.answer, unix.ErrnoName(errno), errno); err != nil {
			return err
		}
	}
	return nil
}

func kept(_ context.Context, w io.Writer) error {
	mask := Kept()
	_, err := fmt.Fprintf(w, "registers  overwritten by %s: %s (mask of those kept: %#x of %#x)\n", instruction, lostNames, mask, tried)
	return err
}

// clocks reads the time in both ways, and compares what that takes.
func clocks(_ context.Context, w io.Writer) error {
	c, err := NewClock()
	if errors.Is(err, errors.ErrUnsupported) {
		_, err = fmt.Fprintf(w, "vDSO       %v\n", err)
		return err
	}
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	base, err := signalStack()
	if err != nil {
		return err
	}
	var ts [2]int64
	return compare(w, func() { call(c.fn, unix.CLOCK_MONOTONIC, &ts, base) })
}

// compare times a way to the clock beside the shortest way into the kernel, in turns.
func compare(w io.Writer, clock func()) error {
	const rounds = 2000
	vdso, kernel := time.Duration(1<<62), time.Duration(1<<62)
	for range 10 {
		began := time.Now()
		for range rounds {
			clock()
		}
		vdso = min(vdso, time.Since(began))
		began = time.Now()
		for range rounds {
			Nothing()
		}
		kernel = min(kernel, time.Since(began))
	}
	_, err := fmt.Fprintf(w, "vDSO       the time without a trap: %d ns; into the kernel and back, for nothing: %d ns\n",
		vdso.Nanoseconds()/rounds, kernel.Nanoseconds()/rounds)
	return err
}
