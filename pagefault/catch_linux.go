//go:build amd64 || arm64

package pagefault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"github.com/ring3-go/ring3/mmu"
)

// ErrNoFault says that an access or an instruction was carried out: there was nothing to catch.
var ErrNoFault = errors.New("carried out without a fault")

// Catch raises the exception in a child process and returns what came of it: the Fault, or [ErrNoFault]. This
// process sees none of it.
//
// The child is this program, started again; main, or TestMain, calls [Child] first. No privilege is needed.
func (e Exception) Catch(ctx context.Context) (*Fault, error) {
	if e.Cannot != "" {
		return nil, fmt.Errorf("catch %s: %s: %w", e.Name, e.Cannot, errors.ErrUnsupported)
	}
	f, err := catch(ctx, "raise", e.Name)
	if err != nil {
		return nil, fmt.Errorf("catch %s: %w", e.Name, err)
	}
	return f, nil
}

// CatchAccess reads, writes or executes one byte at an address in a child process and returns the Fault, or
// [ErrNoFault]. The child has mappings of its own: the address is one of nobody, of the kernel, or not
// canonical, but as a rule not one of this process.
func CatchAccess(ctx context.Context, addr uintptr, access Access) (*Fault, error) {
	if access != AccessRead && access != AccessWrite && access != AccessExecute {
		return nil, fmt.Errorf("catch %v of %#x: %w", access, addr, os.ErrInvalid)
	}
	f, err := catch(ctx, "access", strconv.Itoa(int(access)), strconv.FormatUint(uint64(addr), 16))
	if err != nil {
		return nil, fmt.Errorf("catch %v of %#x: %w", access, addr, err)
	}
	return f, nil
}

// FaultOf returns the Fault that an error tells of, or nil: one of this package, or of an access of this process that
// [mmu.Guarded] made and the processor refused. Of the latter PC and Bytes are not known, and Addr is that of the access also
// where the processor gives none.
func FaultOf(err error) *Fault {
	if f := (*Fault)(nil); errors.As(err, &f) {
		return f
	}
	g := (*mmu.Fault)(nil)
	if !errors.As(err, &g) {
		return nil
	}
	return &Fault{
		Signal: g.Signal, Code: g.Code, Addr: g.Addr, TrapNo: g.TrapNo, ErrorCode: ErrorCode(g.ErrorCode), arch: runtime.GOARCH,
	}
}

// catch runs a child and reads what it reports.
func catch(ctx context.Context, args ...string) (*Fault, error) {
	if isChild() {
		return nil, errors.New("this is a child: the program does not call pagefault.Child")
	}
	out, state, err := runChild(ctx, args...)
	if err != nil {
		return nil, err
	}
	f, err := parseFault(out)
	if err != nil {
		return nil, fmt.Errorf("%w (the child ended with %s)", err, state)
	}
	if f == nil {
		return nil, ErrNoFault
	}
	return f, nil
}

// runChild runs this program as a child and returns what it wrote to its report, and how it ended.
func runChild(ctx context.Context, args ...string) ([]byte, *os.ProcessState, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	from, to, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer from.Close()
	cmd := exec.CommandContext(ctx, exe, append([]string{childMarker}, args...)...)
	cmd.ExtraFiles = []*os.File{to}
	err = cmd.Start()
	to.Close()
	if err != nil {
		return nil, nil, err
	}
	out, readErr := io.ReadAll(from)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		return nil, nil, errors.Join(ctx.Err(), err)
	}
	return out, cmd.ProcessState, readErr
}

// Begin and end of what a child writes. A child that writes neither is not ours.
const (
	reportBegin = "fault?\n"
	reportNone  = "none\n"
	reportError = "error\n" // and its text: the child could not do what it was started for
)

// childError is what a child says that could not do its work.
func childError(report []byte) error {
	for _, prefix := range []string{reportError, reportBegin + reportError} {
		if text, ok := bytes.CutPrefix(report, []byte(prefix)); ok {
			return errors.New(string(text))
		}
	}
	return nil
}

// parseFault reads a child's report: reportBegin, then reportNone, or siginfo_t, the beginning of ucontext_t and
// the bytes of the instruction.
func parseFault(report []byte) (*Fault, error) {
	if err := childError(report); err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(report, []byte(reportBegin))
	switch {
	case !ok:
		return nil, errors.New("no report: does the program call pagefault.Child first?")
	case string(rest) == reportNone:
		return nil, nil
	case len(rest) < infoBytes+contextBytes || len(rest) > infoBytes+contextBytes+codeBytes:
		return nil, fmt.Errorf("report of %d bytes makes no sense", len(report))
	}
	info, uc, code := rest[:infoBytes], rest[infoBytes:infoBytes+contextBytes], rest[infoBytes+contextBytes:]
	f := &Fault{
		Signal: syscall.Signal(binary.NativeEndian.Uint32(info)),
		Code:   int32(binary.NativeEndian.Uint32(info[8:])),
		Addr:   uintptr(binary.NativeEndian.Uint64(info[16:])),
		Bytes:  code,
		arch:   runtime.GOARCH,
	}
	f.readContext(uc)
	return f, nil
}
