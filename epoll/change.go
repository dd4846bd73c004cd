package epoll

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// A Change is one event of a [Watcher].
type Change struct {
	Watch  int    // of Watcher.Add; -1 where the queue was full
	Mask   uint32 // what happened: one of unix.IN_*, with IN_ISDIR
	Cookie uint32 // the same for the two halves of a rename, else 0
	Name   string // in the directory that is watched; empty for the watched file itself
}

// Source: inotify(7), struct inotify_event.
const changeHeader = 16

var errMalformed = errors.New("epoll: malformed inotify record")

// parseChanges appends the records in b to dst. With an error it returns those before it too.
func parseChanges(dst []Change, b []byte) ([]Change, error) {
	for len(b) > 0 {
		if len(b) < changeHeader {
			return dst, errMalformed
		}
		size := binary.NativeEndian.Uint32(b[12:])
		if uint64(size) > uint64(len(b)-changeHeader) {
			return dst, errMalformed
		}
		name, _, _ := bytes.Cut(b[changeHeader:changeHeader+size], []byte{0}) // padded with zeros
		dst = append(dst, Change{
			Watch:  int(int32(binary.NativeEndian.Uint32(b))),
			Mask:   binary.NativeEndian.Uint32(b[4:]),
			Cookie: binary.NativeEndian.Uint32(b[8:]),
			Name:   string(name),
		})
		b = b[changeHeader+size:]
	}
	return dst, nil
}
