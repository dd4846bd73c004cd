// Observe runs one of ring3's observers over the whole host, in a process of its own, so that what is
// measured is the observer and nothing else:
//
//	observe switches   until standard input ends
//	observe faults
//
// It prints "ready" once the observer counts and "first data" once a snapshot has shown an event.
package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ring3-go/ring3/ctxswitch"
	"github.com/ring3-go/ring3/pagefault"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "observe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want switches or faults")
	}
	events, done, err := open(args[0])
	if err != nil {
		return err
	}
	defer done()
	fmt.Println("ready")
	for {
		n, err := events()
		if err != nil {
			return err
		}
		if n > 0 {
			fmt.Println("first data")
			break
		}
		time.Sleep(100 * time.Microsecond)
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// open returns how many events the observer has counted so far, and how to end it.
func open(kind string) (events func() (uint64, error), done func() error, err error) {
	switch kind {
	case "switches":
		o, err := ctxswitch.Observe(ctxswitch.Options{})
		if err != nil {
			return nil, nil, err
		}
		return func() (uint64, error) {
			s, err := o.Snapshot()
			if err != nil {
				return 0, err
			}
			return s.Total(), nil
		}, o.Close, nil
	case "faults":
		o, err := pagefault.Observe(pagefault.Options{})
		if err != nil {
			return nil, nil, err
		}
		return func() (uint64, error) {
			s, err := o.Snapshot()
			if err != nil {
				return 0, err
			}
			return s.Minor + s.Major, nil
		}, o.Close, nil
	}
	return nil, nil, fmt.Errorf("%q: want switches or faults", kind)
}
