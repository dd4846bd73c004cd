package epoll

import (
	"encoding/binary"
	"testing"
)

func FuzzParseChanges(f *testing.F) {
	record := func(size uint32, name string) []byte {
		b := make([]byte, changeHeader, changeHeader+len(name))
		binary.NativeEndian.PutUint32(b, 1)
		binary.NativeEndian.PutUint32(b[12:], size)
		return append(b, name...)
	}
	f.Add(record(0, ""))
	f.Add(record(16, "name\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(record(1<<32-1, "short"))
	f.Add(append(record(4, "full"), record(0, "")...))
	f.Add([]byte("half a head"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseChanges(nil, b)
		size := 0
		for _, c := range got {
			size += changeHeader + len(c.Name)
		}
		if size > len(b) {
			t.Errorf("%d bytes of records out of %d", size, len(b))
		}
		if err == nil && len(b) > 0 && len(got) == 0 {
			t.Error("bytes without a record")
		}
	})
}
