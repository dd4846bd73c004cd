package main

import "github.com/spf13/cobra"

func newFaults(*output) *cobra.Command   { return &cobra.Command{Use: "faults"} }
func newSwitches(*output) *cobra.Command { return &cobra.Command{Use: "switches"} }
func newDoctor(*output) *cobra.Command   { return &cobra.Command{Use: "doctor"} }
