package reactor

import (
	"errors"
	"fmt"
)

// newDriver makes the driver that was asked for, or the best that works.
func newDriver(l *Loop, d Driver) (driver, Driver, string, error) {
	switch d {
	case Auto, Epoll:
		drv, err := newEpollDriver(l)
		return drv, Epoll, "epoll works everywhere", err
	case IOURing:
		return nil, 0, "", fmt.Errorf("reactor: the io_uring driver: %w", errors.ErrUnsupported)
	}
	return nil, 0, "", fmt.Errorf("reactor: no driver %v", d)
}
