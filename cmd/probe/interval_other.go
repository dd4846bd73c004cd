//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ring3-go/ring3/internal/target"
)

var errObserveLinuxOnly = fmt.Errorf("observing: Linux only: %w", errors.ErrUnsupported)

func openTarget(target.Target) (int, error) { return -1, errObserveLinuxOnly }

func closeTarget(int) {}

func cgroupPaths() map[uint64]string { return nil }

func contextSwitches() (uint64, error) { return 0, errObserveLinuxOnly }

func faultEvents() (faultCounters, error) { return faultCounters{}, errObserveLinuxOnly }

func watchEnd(context.CancelCauseFunc, int, io.Writer) (func(), error) {
	return nil, errObserveLinuxOnly
}
