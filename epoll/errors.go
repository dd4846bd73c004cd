package epoll

import (
	"fmt"
	"io/fs"
)

// ErrClosed is returned by every method of a [Poller] that has been closed. It matches fs.ErrClosed.
var ErrClosed = fmt.Errorf("epoll: poller is closed: %w", fs.ErrClosed)

// ErrStale is returned for a [Token] whose registration has ended.
var ErrStale = fmt.Errorf("epoll: token of a registration that has ended: %w", fs.ErrNotExist)
