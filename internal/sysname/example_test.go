//go:build amd64 || arm64

package sysname_test

import (
	"fmt"

	"github.com/ring3-go/ring3/internal/sysname"
)

func Example() {
	nr, ok := sysname.Number("futex")
	fmt.Println(sysname.Name(nr), ok)
	fmt.Println(sysname.Name(100000))
	// Output:
	// futex true
	// syscall_100000
}
