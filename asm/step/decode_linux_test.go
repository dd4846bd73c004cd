package step

import "testing"

// FuzzDecode gives the decoders what no assembler would: they may not know it, but not panic, nor take an
// instruction for longer than it is given.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"\x48\x8b\x00", "\xf3\x48\xa5", "\x64\x48\x8b\x04\x25\xf8\xff\xff\xff", "\xff\x10", "\x66\x50", "\x48\xa1\x01\x02\x03\x04\x05\x06\x07\x08",
		"\x62\xf2\x7d\x48\x92\x04\x08", "\x00\x00\x40\xf9", "\xc0\x03\x5f\xd6", "\x02\x00\x21\xf8", "\x00\x20\xdf\x4c",
	} {
		f.Add([]byte(seed), uint64(3))
	}
	f.Fuzz(func(t *testing.T, code []byte, value uint64) {
		in := Instruction{PC: value}
		if n := in.disassemble(code, 0); n > len(code) || n > 0 != in.Known() {
			t.Errorf("%d bytes of %d; text %q", n, len(code), in.Go)
		}
		var r registers
		for i := range r.general {
			r.general[i] = value * uint64(i)
		}
		d := decode(value, code)
		for _, a := range d.accesses(&r) {
			if a.Kind < Read || a.Kind > ReadWrite || a.Size == 0 {
				t.Errorf("% x: access %+v", code, a)
			}
		}
	})
}
