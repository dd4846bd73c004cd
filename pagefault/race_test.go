//go:build race

package pagefault

// raceNoise is how many faults more a cause may take where the race detector has memory of its own under every
// instrumented function on the way.
const raceNoise = 4
