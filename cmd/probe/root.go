package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/pagefault"
)

// Exit codes, which scripts rely on.
const (
	exitError        = 1
	exitUsage        = 2
	exitNotSupported = 3
	exitNotPermitted = 4
)

// A commandExit carries the exit code of a command that probe ran; it has been reported already.
type commandExit int

func (e commandExit) Error() string { return "command failed" }

// A usageError is a mistake in the arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func newRoot(out *output) *cobra.Command {
	root := &cobra.Command{
		Use:   "probe",
		Short: "Page faults, context switches and memory, as the kernel has them",
		Long: `probe shows what the kernel did for a program: which pages faulted, which threads were
switched out and why, how long that took, and whether the kernel's own counters agree; and what memory a
program has.`,
		Example: `  probe run -- go build ./...     where a command's faults and switches went
  probe faults 1 5 -p 4242        a process's page faults, each second, five times
  probe switches --by comm        the host's context switches by command, until Ctrl-C
  probe asm deref --step          a lesson in assembly, each instruction
  probe vm 4242                   what a process has mapped, and how much of it is in memory
  probe doctor                    what this host allows`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error { return out.open() },
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&out.json, "json", false, "print newline-delimited JSON records and nothing else")
	flags.StringVar(&out.color, "color", "auto", "colour: auto, always or never (NO_COLOR is honoured)")
	flags.BoolVarP(&out.verbose, "verbose", "v", false, "say more on standard error, the eBPF verifier's log included")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRun(out), newFaults(out), newSwitches(out), newAsm(out), newVM(out), newBench(out), newExceptions(out), newDoctor(out))
	return root
}

// exitCode maps an error to what the shell sees.
func exitCode(err error) int {
	var exit commandExit
	var usage usageError
	var permission *pagefault.NotPermittedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &permission):
		return exitNotPermitted
	case errors.Is(err, errors.ErrUnsupported): // also a kernel that refuses with EPERM whoever asks
		return exitNotSupported
	case errors.Is(err, fs.ErrPermission):
		return exitNotPermitted
	}
	return exitError
}
