package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newBench(out *output) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what things cost on this machine",
		Long:  `bench measures what things cost on this machine, and shows beside each what the kernel counted for it.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{errors.New("bench: what? faults")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBenchFaults(out))
	return cmd
}
