//go:build amd64 || arm64

package atomics

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

func TestLessonKeepsItsContract(t *testing.T) {
	defer goleak.VerifyNone(t)
	lessontest.Check(t, Lesson())
}

// The twin of every way is sync/atomic.
func TestWaysDoWhatSyncAtomicDoes(t *testing.T) {
	for _, way := range Ways() {
		t.Run(way.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				// What is beside the word must stay as it is.
				words := [3]uint64{1: rapid.Uint64().Draw(t, "word")}
				var twin atomic.Uint64
				twin.Store(words[1])
				for range rapid.IntRange(1, 20).Draw(t, "operations") {
					a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
					switch rapid.IntRange(0, 4).Draw(t, "operation") {
					case 0:
						if got, want := way.Add(&words[1], a), twin.Add(a); got != want {
							t.Fatalf("Add %#x: %#x; want %#x", a, got, want)
						}
					case 1:
						if got, want := way.Swap(&words[1], a), twin.Swap(a); got != want {
							t.Fatalf("Swap %#x: %#x; want %#x", a, got, want)
						}
					case 2:
						if rapid.Bool().Draw(t, "equal") {
							a = words[1]
						}
						if got, want := way.CompareAndSwap(&words[1], a, b), twin.CompareAndSwap(a, b); got != want {
							t.Fatalf("CompareAndSwap %#x: %v; want %v", a, got, want)
						}
					case 3:
						way.count(&words[1], a%100)
						twin.Add(a % 100)
					case 4:
						countPlain(&words[1], b%100)
						twin.Add(b % 100)
					}
					if words != [3]uint64{1: twin.Load()} {
						t.Fatalf("%#x; want %#x in the middle", words, twin.Load())
					}
				}
			})
		})
	}
}

// The kernel says in its own list what the single instructions need.
func TestEveryWayOfTheProcessorIsThere(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	want := 1
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "Features" && strings.Contains(value+" ", " atomics ") {
			want = 2
		}
	}
	if runtime.GOARCH == "arm64" && !bytes.Contains(info, []byte("CPU implementer")) {
		t.Skip("tried: /proc/cpuinfo is that of another kind of processor")
	}
	if got := len(Ways()); got != want {
		t.Errorf("%d ways; want %d", got, want)
	}
}

// twoCPUs skips the test where there are less.
func twoCPUs(t testing.TB) [2]int {
	t.Helper()
	cpus, err := asm.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	if len(cpus) < 2 {
		t.Skip("tried: there is one CPU")
	}
	return [2]int{cpus[0], cpus[1]}
}

func TestNoAdditionIsLost(t *testing.T) {
	defer goleak.VerifyNone(t)
	cpus := twoCPUs(t)
	for _, way := range Ways() {
		for _, gap := range []int{0, 8, 64, 128} {
			p, err := Pair(t.Context(), cpus, gap, way.count)
			if err != nil {
				t.Fatal(err)
			}
			if p.Lost != 0 {
				t.Errorf("%s, %d bytes apart: %d of %d lost", way.Name, gap, p.Lost, p.Additions)
			}
		}
	}
	// Without an atomic way nothing is lost either as long as the words are two.
	for _, gap := range []int{8, 64, 128} {
		p, err := Pair(t.Context(), cpus, gap, countPlain)
		if err != nil {
			t.Fatal(err)
		}
		if p.Lost != 0 {
			t.Errorf("plain, %d bytes apart: %d of %d lost", gap, p.Lost, p.Additions)
		}
	}
	// With one word some are, where the machine is not too busy to run both threads at once.
	p, err := Pair(t.Context(), cpus, 0, countPlain)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("plain, one word: %d of %d lost", p.Lost, p.Additions)
	if p.Lost > p.Additions {
		t.Errorf("%d of %d lost", p.Lost, p.Additions)
	}
}

func TestPairRefusesWhatItCannotDo(t *testing.T) {
	defer goleak.VerifyNone(t)
	cpus := twoCPUs(t)
	for _, gap := range []int{-8, 4, 136} {
		if _, err := Pair(t.Context(), cpus, gap, countPlain); err == nil {
			t.Errorf("gap %d: no error", gap)
		}
	}
	if _, err := Pair(t.Context(), [2]int{cpus[0], 1000}, 8, countPlain); err == nil {
		t.Error("CPU 1000: no error")
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if _, err := Pair(ctx, cpus, 8, countPlain); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// locks returns each lock, and the yardstick.
func locks() map[string]sync.Locker {
	return map[string]sync.Locker{"SpinLock": new(SpinLock), "TicketLock": new(TicketLock), "sync.Mutex": new(sync.Mutex)}
}

// A plain counter, and another that sees how many are inside. Under the race detector this also holds that
// the locks tell it what they order.
func TestLocksLetOneInAtATime(t *testing.T) {
	const goroutines = 16
	rounds := 1_000
	if testing.Short() {
		rounds = 500
	}
	for name, lock := range locks() {
		t.Run(name, func(t *testing.T) {
			count := 0
			var inside atomic.Int32
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					for i := range rounds {
						lock.Lock()
						if n := inside.Add(1); n != 1 {
							t.Errorf("%d inside", n)
						}
						count++
						if i%64 == 0 {
							runtime.Gosched() // with the lock held: the others have to wait for a goroutine that does not run
						}
						inside.Add(-1)
						lock.Unlock()
					}
				})
			}
			all.Wait()
			if count != goroutines*rounds {
				t.Errorf("counted %d; want %d", count, goroutines*rounds)
			}
		})
	}
}

func TestTryLockTakesOnlyWhatIsFree(t *testing.T) {
	var l SpinLock
	if !l.TryLock() || l.TryLock() {
		t.Error("a free lock was not taken, or a taken one was")
	}
	l.Unlock()
	if !l.TryLock() {
		t.Error("a lock that was given back was not taken")
	}
}

// Numbers are served in the order in which they were drawn, across the end of their range too.
func TestTicketLockServesInOrder(t *testing.T) {
	const goroutines = 20
	l := TicketLock{next: 1<<32 - 5, serving: 1<<32 - 5}
	l.Lock()
	var served []int
	var all sync.WaitGroup
	for i := range goroutines {
		before := atomic.LoadUint32(&l.next)
		all.Go(func() {
			l.Lock()
			served = append(served, i)
			l.Unlock()
		})
		for atomic.LoadUint32(&l.next) == before { // until it has drawn
			runtime.Gosched()
		}
	}
	l.Unlock()
	all.Wait()
	for i, who := range served {
		if who != i {
			t.Fatalf("served in the order %v", served)
		}
	}
	if len(served) != goroutines {
		t.Errorf("served %v", served)
	}
}

// Writers write four words that belong together; no reader sees words of two writings, and none sees an older
// one than before.
func TestSeqLockIsReadWhole(t *testing.T) {
	rounds := 100_000
	if testing.Short() {
		rounds = 3_000
	}
	var l SeqLock
	belonging := func(n uint64) [4]uint64 { return [4]uint64{n, n * 3, ^n, n ^ 0x5555} }
	l.Store(belonging(0))
	var next atomic.Uint64
	var writing sync.Mutex // so that later numbers are written later
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range rounds {
				writing.Lock()
				l.Store(belonging(next.Add(1)))
				writing.Unlock()
			}
		})
		readers.Go(func() {
			var last uint64
			for {
				words := l.Load()
				if words != belonging(words[0]) || words[0] < last {
					t.Errorf("read %#x after number %d", words, last)
					return
				}
				last = words[0]
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	if words := l.Load(); words != belonging(uint64(4*rounds)) || l.seq != 2*(uint64(4*rounds)+1) {
		t.Errorf("at the end %#x, number %d", words, l.seq)
	}
}

// Several writers without a lock of the test's own: what is there at the end is one of the last writings.
func TestSeqLockTakesWritersOneAtATime(t *testing.T) {
	const writers, rounds = 8, 2_000
	var l SeqLock
	var all sync.WaitGroup
	for i := range uint64(writers) {
		all.Go(func() {
			for n := range uint64(rounds) {
				l.Store([4]uint64{i, n, i, n})
			}
		})
	}
	all.Wait()
	words := l.Load()
	if words[0] != words[2] || words[1] != words[3] || words[1] != rounds-1 || l.seq != 2*writers*rounds {
		t.Errorf("at the end %v, number %d", words, l.seq)
	}
}

func TestLocksUnderCollectorAndProfiler(t *testing.T) {
	lessontest.UnderPressure(t, func() {
		end := time.Now().Add(300 * time.Millisecond)
		var all sync.WaitGroup
		for _, lock := range locks() {
			count, counted := 0, [4]int{}
			for i := range counted {
				all.Go(func() {
					for time.Now().Before(end) {
						lock.Lock()
						_ = make([]byte, 1<<10)
						count++
						counted[i]++
						lock.Unlock()
					}
				})
			}
			defer func() {
				if sum := counted[0] + counted[1] + counted[2] + counted[3]; count != sum {
					t.Errorf("counted %d; want %d", count, sum)
				}
			}()
		}
		all.Wait()
	})
}

func BenchmarkAdd(b *testing.B) {
	var word uint64
	for _, way := range Ways() {
		b.Run(way.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				way.Add(&word, 1)
			}
		})
	}
	b.Run("sync.atomic", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			atomic.AddUint64(&word, 1)
		}
	})
}

func BenchmarkLock(b *testing.B) {
	for name, lock := range locks() {
		b.Run(name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lock.Lock()
				lock.Unlock() //lint:ignore SA2001 an empty critical section is what is measured
			}
		})
		b.Run(name+"/contended", func(b *testing.B) {
			b.ReportAllocs()
			count := 0
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					lock.Lock()
					count++
					lock.Unlock()
				}
			})
		})
	}
}

func BenchmarkSeqLockLoad(b *testing.B) {
	var l SeqLock
	b.ReportAllocs()
	for b.Loop() {
		l.Load()
	}
}

func BenchmarkSharing(b *testing.B) {
	cpus := twoCPUs(b)
	for _, gap := range []int{0, 8, 64, 128} {
		b.Run(apart(gap), func(b *testing.B) {
			b.ReportAllocs()
			var ns float64
			n := 0
			for b.Loop() {
				p, err := Pair(b.Context(), cpus, gap, countPlain)
				if err != nil {
					b.Fatal(err)
				}
				ns += p.NS
				n++
			}
			b.ReportMetric(ns/float64(n), "ns/addition")
		})
	}
}
