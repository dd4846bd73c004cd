//go:build !race

package workload

const raceNoise = 0
