package iouring

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkNop submits NOPs and takes their completions, in batches.
func BenchmarkNop(b *testing.B) {
	for _, batch := range []int{1, 32, 4096} {
		b.Run(fmt.Sprintf("batch %d", batch), func(b *testing.B) {
			r := newRing(b, Options{Entries: batch, SingleIssuer: true})
			done := make([]Completion, 256)
			b.ReportAllocs()
			for n := 0; n < b.N; n += batch {
				for range batch {
					e, err := r.Get()
					if err != nil {
						b.Fatal(err)
					}
					if err := e.Nop(); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := r.SubmitAndWait(batch, -1); err != nil {
					b.Fatal(err)
				}
				for left := batch; left > 0; {
					left -= r.Reap(done)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64((b.N+batch-1)/batch*batch), "ns/op")
		})
	}
}

// BenchmarkRead reads random pages of a file that is in the page cache.
func BenchmarkRead(b *testing.B) {
	const pages = 4096
	for _, depth := range []int{1, 32, 128} {
		b.Run(fmt.Sprintf("depth %d", depth), func(b *testing.B) {
			f := file(b, string(make([]byte, pages*4096)))
			r := newRing(b, Options{Entries: depth, SingleIssuer: true})
			buffers := make([][4096]byte, depth)
			done := make([]Completion, depth)
			random := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for n := 0; n < b.N; n += depth {
				for i := range depth {
					e, err := r.Get()
					if err != nil {
						b.Fatal(err)
					}
					if err := e.Read(f.fd, buffers[i][:], int64(random.IntN(pages))*4096); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := r.SubmitAndWait(depth, -1); err != nil {
					b.Fatal(err)
				}
				for _, c := range done[:r.Reap(done)] {
					if c.Res != 4096 {
						b.Fatal(c)
					}
				}
			}
		})
	}
}
