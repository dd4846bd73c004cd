package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/pagefault"
)

func newExceptions(out *output) *cobra.Command {
	return &cobra.Command{
		Use:   "exceptions",
		Short: "Show the processor's table of exceptions by raising each",
		Long: `exceptions raises every exception that a program can raise, each in a child process that does not survive it,
and shows what came: the vector (on arm64 the exception class), whether the processor said more in an error code, the
signal that Linux makes of it, and the instruction. The others say why a program cannot raise them.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{errors.New("exceptions: takes no arguments")}
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return showExceptions(out) },
	}
}

// exceptionRecord is ring3/exception/v1; docs/json/exception.schema.json says what each field means.
type exceptionRecord struct {
	Schema    string           `json:"schema"`
	Kernel    string           `json:"kernel"`
	Arch      string           `json:"arch"`
	Name      string           `json:"name"`
	Vector    int              `json:"vector"`
	Kind      string           `json:"kind"`
	ErrorCode bool             `json:"error_code"`
	By        string           `json:"by,omitempty"`
	Cannot    string           `json:"cannot,omitempty"`
	Caught    *exceptionCaught `json:"caught"`
	Agree     bool             `json:"agree"`
}

type exceptionCaught struct {
	Signal    string `json:"signal"`
	Code      string `json:"code"`
	Exception string `json:"exception"`
	Vector    int    `json:"vector"`
	ErrorCode uint64 `json:"error_code"`
	Address   uint64 `json:"address"`
	PC        uint64 `json:"pc"`
	Go        string `json:"go"`
	GNU       string `json:"gnu"`
}

// showExceptions raises and reports, one after another; SIGINT and SIGTERM end it.
func showExceptions(out *output) error {
	all := pagefault.Exceptions()
	if len(all) == 0 {
		return &pagefault.NotSupportedError{Feature: "catching exceptions", Since: "Linux on amd64 or arm64"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !out.json {
		fmt.Fprint(out.data, out.bold(fmt.Sprintf(exceptionFormat, "vector", "exception", "kind", "code", "signal", "because", "instruction")))
	}
	for _, e := range all {
		r, err := raiseException(ctx, e)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case out.json:
			err = out.record(r)
		default:
			err = exceptionRow(out, e, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// raiseException makes one record. Where nothing came, as on an emulated processor that leaves an exception out, Caught
// is nil.
func raiseException(ctx context.Context, e pagefault.Exception) (*exceptionRecord, error) {
	r := &exceptionRecord{
		Schema: "ring3/exception/v1", Kernel: kernelRelease(), Arch: runtime.GOARCH, Name: e.Name, Vector: e.Vector, Kind: e.Kind,
		ErrorCode: e.ErrorCode, By: e.Text, Cannot: e.Cannot, Agree: e.Cannot != "",
	}
	if e.Cannot != "" {
		return r, nil
	}
	f, err := e.Catch(ctx)
	if errors.Is(err, pagefault.ErrNoFault) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	c := &exceptionCaught{
		Signal: f.SignalName(), Code: f.CodeName(), Exception: f.Exception(), Vector: f.TrapNo, ErrorCode: uint64(f.ErrorCode),
		Address: uint64(f.Addr), PC: uint64(f.PC),
	}
	c.Go, c.GNU = f.Instruction()
	r.Caught = c
	untold := f.TrapNo < 0 // arm64 passes the class on for some alone
	r.Agree = f.Signal == e.Signal && f.Code == e.Code && (f.TrapNo == e.Vector || untold)
	return r, nil
}

const exceptionFormat = "%-8s%-34s%-11s%-6s%-9s%-14s%s\n"

func exceptionRow(out *output, e pagefault.Exception, r *exceptionRecord) error {
	vector, code := fmt.Sprint(r.Vector), "-"
	if r.Arch == "arm64" {
		vector = fmt.Sprintf("%#02x", r.Vector)
	}
	if r.ErrorCode {
		code = "yes"
	}
	if r.Cannot != "" {
		_, err := fmt.Fprintf(out.data, "%-8s%-34s%-11s%-6scannot here, because %s\n", vector, r.Name, r.Kind, code, r.Cannot)
		return err
	}
	signal, because, text := "none", "-", r.By
	if c := r.Caught; c != nil {
		signal, because = c.Signal, c.Code
		if c.Go != "" && c.Code != "TRAP_TRACE" { // a step comes after its instruction
			text = c.Go
		}
	}
	if !r.Agree {
		want := pagefault.Fault{Signal: e.Signal, Code: e.Code}
		text += out.red(fmt.Sprintf(" (want %s, %s)", want.SignalName(), want.CodeName()))
	}
	_, err := fmt.Fprintf(out.data, exceptionFormat, vector, r.Name, r.Kind, code, signal, because, text)
	return err
}
