// Program says what it was given, and exits as its first argument says.
package main

import (
	"fmt"
	"os"
	"strconv"
)

func main() {
	fmt.Printf("arguments: %q\n", os.Args[1:])
	fmt.Fprint(os.Stderr, "no newline")
	code, err := strconv.Atoi(os.Args[1])
	if err != nil {
		code = 100
	}
	os.Exit(code)
}
