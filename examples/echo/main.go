// Echo sends back what it is sent: the smallest server, on each of the engines, to be read side by side and measured.
//
// Synopsis:
//
//	echo [-engine net|epoll|iouring|async] [-addr HOST:PORT] [-loops N]
//
// It prints the address that it listens on, and ends gently on SIGINT or SIGTERM: what clients have sent is still
// answered.
//
// Options:
//
//	-engine  net: a goroutine a connection, by the standard library;
//	         epoll, iouring: package reactor with that driver; async: tasks
//	-addr    where to listen (default 127.0.0.1:0, which is any port)
//	-loops   how many loops, each on a thread of its own (default 1); with net, how many threads at a time
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"syscall"
)

// An engine serves until ctx ends. It calls ready with the address.
type engine func(ctx context.Context, addr string, loops int, ready func(addr string)) error

var engines = map[string]engine{
	"net":     serveNet,
	"epoll":   serveEpoll,
	"iouring": serveIOURing,
	"async":   notYet("package async"),
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

// grace is how long connections may take to end.
const grace = 5 * time.Second

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	name := flags.String("engine", "epoll", "net, epoll, iouring or async")
	addr := flags.String("addr", "127.0.0.1:0", "where to listen")
	loops := flags.Int("loops", 1, "loops, each on a thread of its own")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	serve, ok := engines[*name]
	if !ok || *loops < 1 || flags.NArg() > 0 {
		flags.Usage()
		return errUsage
	}
	return serve(ctx, *addr, *loops, func(addr string) { fmt.Fprintln(stdout, addr) })
}

// notYet is an engine to come.
func notYet(what string) engine {
	return func(context.Context, string, int, func(string)) error {
		return fmt.Errorf("not yet: %s is to come", what)
	}
}
