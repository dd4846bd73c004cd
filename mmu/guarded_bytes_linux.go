package mmu

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

// chunk is how many bytes are copied in one go: as many as make the way there cheap, and few enough to do again
// after a fault. A thread cannot be stopped for the garbage collector meanwhile.
const chunk = 64 << 10

// Copy copies n bytes from src to dst and returns how many bytes from dst on hold the copy. That is n, or less
// with a *[Fault]: then [Fault.Addr] is src or dst plus the number returned, and no byte from there on was
// changed.
//
// The ranges may overlap. Where dst lies in the source, Copy goes from the end: with a fault it returns 0, and
// bytes above the fault were changed.
func (Guarded) Copy(dst, src uintptr, n int) (int, error) {
	if err := checkCount("copy", n); err != nil {
		return 0, err
	}
	size := uintptr(n)
	if dst-src < size || src-dst < size {
		return copyOverlapping(dst, src, n)
	}
	if n <= chunk {
		if _, sig, _, _ := copyBytes(dst, src, size); sig == 0 {
			return n, nil
		}
	}
	return copyByParts(dst, src, n)
}

func copyByParts(dst, src uintptr, n int) (int, error) {
	return advance(n, dst, src, func(at, n uintptr) (sig uint32) {
		_, sig, _, _ = copyBytes(dst+at, src+at, n)
		return sig
	}, func(at uintptr) error {
		v, err := Guarded{}.Load8(src + at)
		if err == nil {
			err = Guarded{}.Store8(dst+at, v)
		}
		return err
	})
}

// Read copies len(p) bytes from addr on into p, which must not overlap them, and returns how many; see
// [Guarded.Copy].
func (Guarded) Read(p []byte, addr uintptr) (int, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	raceWrite(p)
	to := unsafe.Pointer(unsafe.SliceData(p))
	if len(p) <= chunk {
		if _, sig, _, _ := readBytes(to, addr, uintptr(len(p))); sig == 0 {
			return len(p), nil
		}
	}
	return readByParts(p, addr)
}

func readByParts(p []byte, addr uintptr) (int, error) {
	to := unsafe.Pointer(unsafe.SliceData(p))
	n, err := advance(len(p), addr, addr, func(at, n uintptr) (sig uint32) {
		_, sig, _, _ = readBytes(unsafe.Add(to, at), addr+at, n)
		return sig
	}, func(at uintptr) (err error) {
		p[at], err = Guarded{}.Load8(addr + at)
		return err
	})
	runtime.KeepAlive(p)
	return n, err
}

// Write copies p to addr and the bytes that follow, which must not overlap p, and returns how many; see
// [Guarded.Copy].
func (Guarded) Write(addr uintptr, p []byte) (int, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	raceRead(p)
	from := unsafe.Pointer(unsafe.SliceData(p))
	if len(p) <= chunk {
		if _, sig, _, _ := writeBytes(addr, from, uintptr(len(p))); sig == 0 {
			return len(p), nil
		}
	}
	return writeByParts(addr, p)
}

func writeByParts(addr uintptr, p []byte) (int, error) {
	from := unsafe.Pointer(unsafe.SliceData(p))
	n, err := advance(len(p), addr, addr, func(at, n uintptr) (sig uint32) {
		_, sig, _, _ = writeBytes(addr+at, unsafe.Add(from, at), n)
		return sig
	}, func(at uintptr) error {
		return Guarded{}.Store8(addr+at, p[at])
	})
	runtime.KeepAlive(p)
	return n, err
}

// Zero sets n bytes from addr on to zero and returns how many; see [Guarded.Copy].
func (Guarded) Zero(addr uintptr, n int) (int, error) {
	if err := checkCount("zero", n); err != nil {
		return 0, err
	}
	return advance(n, addr, addr, func(at, n uintptr) (sig uint32) {
		_, sig, _, _ = zeroBytes(addr+at, 0, n)
		return sig
	}, func(at uintptr) error {
		return Guarded{}.Store8(addr+at, 0)
	})
}

// Compare compares n bytes at a with n bytes at b as bytes.Compare does: -1, 0 or +1. Where the ranges differ
// before the first byte that cannot be read, that is the result; otherwise there is a *[Fault] and the result
// is 0.
func (Guarded) Compare(a, b uintptr, n int) (int, error) {
	if err := checkCount("compare", n); err != nil {
		return 0, err
	}
	order := 0
	single := func(at uintptr) error {
		x, err := Guarded{}.Load8(a + at)
		if err != nil {
			return err
		}
		y, err := Guarded{}.Load8(b + at)
		if err != nil {
			return err
		}
		if order = cmp.Compare(x, y); order != 0 {
			return errDiffer
		}
		return nil
	}
	_, err := advance(n, a, b, func(at, n uintptr) uint32 {
		equal, sig, _, _ := matchBytes(a+at, b+at, n)
		if sig == 0 && equal < uint64(n) {
			return again // and find the byte
		}
		return sig
	}, single)
	if err == errDiffer {
		err = nil
	}
	return order, err
}

// again has advance take a range in smaller parts; no signal has this number.
const again = ^uint32(0)

var errDiffer = fmt.Errorf("bytes differ")

// advance does n bytes by do, which returns a signal's number where it met one and may then have done any part
// of its own, from the beginning on. Such a part is done again by pages, and what is left by one, a byte at a
// time, which returns an error where the access is refused. Protection, files and mappings end at pages, so
// this takes a byte or two; only where somebody changes them meanwhile does it take more. a and b are the two
// ranges. It returns how many bytes were done.
func advance(n int, a, b uintptr, do func(at, n uintptr) uint32, one func(at uintptr) error) (int, error) {
	end := uintptr(n)
	for at := uintptr(0); at < end; {
		size := min(chunk, end-at)
		if do(at, size) == 0 {
			at += size
			continue
		}
		for stop := at + size; at < stop; {
			size := min(stop-at, toBoundary(a+at), toBoundary(b+at))
			if do(at, size) == 0 {
				at += size
				continue
			}
			for stop := at + size; at < stop; at++ {
				if err := one(at); err != nil {
					return int(at), err
				}
			}
		}
	}
	return n, nil
}

// toBoundary is how far it is to the next page; larger pages end there too.
func toBoundary(addr uintptr) uintptr {
	const page = 4096
	return page - addr%page
}

// copyOverlapping copies by way of a buffer, in the order in which no byte is overwritten before it was read.
func copyOverlapping(dst, src uintptr, n int) (int, error) {
	var buffer [512]byte
	if dst <= src {
		for at := 0; at < n; {
			p := buffer[:min(len(buffer), n-at)]
			got, readErr := Guarded{}.Read(p, src+uintptr(at))
			put, err := Guarded{}.Write(dst+uintptr(at), p[:got])
			at += put
			if err == nil {
				err = readErr
			}
			if err != nil {
				return at, err
			}
		}
		return n, nil
	}
	for left := n; left > 0; {
		p := buffer[:min(len(buffer), left)]
		left -= len(p)
		if _, err := (Guarded{}).Read(p, src+uintptr(left)); err != nil {
			return 0, err
		}
		if _, err := (Guarded{}).Write(dst+uintptr(left), p); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func checkCount(what string, n int) error {
	if n < 0 {
		return fmt.Errorf("guarded %s of %d bytes: %w", what, n, os.ErrInvalid)
	}
	return ready()
}
