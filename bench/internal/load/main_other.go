//go:build !linux

// Load needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "load: Linux only")
	os.Exit(1)
}
