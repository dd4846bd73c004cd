//go:build !race

package pagefault

const raceNoise = 0
