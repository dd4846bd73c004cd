package reactor

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// newDriver makes the driver that was asked for, or the best that works.
func newDriver(l *Loop, d Driver) (driver, Driver, string, error) {
	switch d {
	case Epoll:
		drv, err := newEpollDriver(l)
		return drv, Epoll, "it was asked for", err
	case IOURing:
		drv, err := newRing(l)
		return drv, IOURing, "it was asked for", err
	case Auto:
		drv, err := newRing(l)
		if err == nil {
			return drv, IOURing, "it was tried, and works", nil
		}
		why := "io_uring does not work here: " + errors.Unwrap(err).Error()
		epoll, err := newEpollDriver(l)
		return epoll, Epoll, why, err
	}
	return nil, 0, "", fmt.Errorf("reactor: no driver %v", d)
}

// newRing makes the io_uring driver, where all that it needs works.
func newRing(l *Loop) (driver, error) {
	err := tryRing()
	var d *ringDriver
	if err == nil {
		d, err = newRingDriver(l, usualSizes)
	}
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return nil, fmt.Errorf("reactor: %w", err)
	}
	return nil, &ringError{err}
}

// A ringError says why there is no io_uring driver. It matches errors.ErrUnsupported besides, whatever the reason.
type ringError struct{ err error }

func (e *ringError) Error() string { return "reactor: the io_uring driver: " + e.err.Error() }

func (e *ringError) Unwrap() error { return e.err }

func (e *ringError) Is(target error) bool { return target == errors.ErrUnsupported }
