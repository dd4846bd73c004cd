//go:build amd64 || arm64

package tsc

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ring3-go/ring3/asm"
)

// A Crossing is what two processors that read the counter by turns have seen.
type Crossing struct {
	Readings  uint64
	Backwards uint64 // readings less than the one before, which was taken on the other processor
	// Least is the smallest difference to the reading before: of the first processor, and of the second.
	Least [2]int64
}

// Offset returns the interval in which the counter of the second processor is ahead of that of the first. A
// number takes its time to pass from one to the other; never less than none. So the smallest difference in
// each direction is a bound.
func (c Crossing) Offset() (low, high int64) { return -c.Least[0], c.Least[1] }

// Cross has two processors read the counter by turns, n times together: each reads after it has seen the
// other's reading. It returns early, with ctx's error and what it has seen, when ctx ends.
func Cross(ctx context.Context, a, b int, n uint64) (Crossing, error) {
	if a == b {
		return Crossing{}, errors.New("cross: two processors are needed")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := game{n: n}
	g.seen[0].least, g.seen[1].least = math.MaxInt64, math.MaxInt64
	var players sync.WaitGroup
	for i, cpu := range []int{a, b} {
		players.Go(func() {
			unpin, err := asm.Pin(cpu)
			if err != nil {
				cancel(err)
				return
			}
			defer unpin()
			g.play(ctx, uint64(i))
		})
	}
	players.Wait()
	c := Crossing{
		Readings:  g.turn.Load(),
		Backwards: g.seen[0].backwards + g.seen[1].backwards,
		Least:     [2]int64{g.seen[0].least, g.seen[1].least},
	}
	if c.Readings < n {
		return c, context.Cause(ctx)
	}
	return c, nil
}

// A game is two goroutines that take turns.
type game struct {
	n    uint64
	turn atomic.Uint64 // readings so far; an even number is the first player's turn
	_    [64]byte
	last uint64 // the reading before; belongs to whose turn it is
	_    [64]byte
	seen [2]struct { // of each player
		least     int64
		backwards uint64
		_         [128]byte
	}
}

// play takes the turns of player i. Who waits lets others run now and then: the other player may be held up.
func (g *game) play(ctx context.Context, i uint64) {
	const patience = 2000
	for {
		turn := g.turn.Load()
		for spins := 0; turn < g.n && turn%2 != i; spins++ {
			if spins == patience {
				if ctx.Err() != nil {
					return
				}
				runtime.Gosched()
				spins = 0
			}
			turn = g.turn.Load()
		}
		if turn >= g.n || ctx.Err() != nil {
			return
		}
		ticks := Ordered()
		if turn > 0 {
			step := int64(ticks - g.last)
			g.seen[i].least = min(g.seen[i].least, step)
			if step < 0 {
				g.seen[i].backwards++
			}
		}
		g.last = ticks
		g.turn.Store(turn + 1)
	}
}
