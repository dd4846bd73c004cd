//go:build !linux

package main

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

type result struct {
	exitCode  int
	signal    syscall.Signal
	wall      time.Duration
	user, sys time.Duration
	maxRSS    uint64
	kernel    kernelCounts
	left      int
}

type kernelCounts struct {
	minor, major, voluntary, involuntary uint64
}

var errLinuxOnly = fmt.Errorf("probe run: Linux only: %w", errors.ErrUnsupported)

func signalName(s syscall.Signal) string { return s.String() }

func lookPath(name string) (string, error) { return name, nil }

func start(string, []string) (*result, error) { return nil, errLinuxOnly }

func (*result) account() error { return errLinuxOnly }
