//go:build !linux

package main

func showVM(*output, vmOptions) error { return errObserveLinuxOnly }
