package reactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// successorEnv makes the test binary a server that inherits its listener.
const successorEnv = "REACTOR_TEST_SUCCESSOR"

// succeed serves on descriptor 3 until its input ends.
func succeed(driver string) {
	d := Epoll
	if driver == IOURing.String() {
		d = IOURing
	}
	l, err := New(Options{Driver: d})
	if err == nil {
		_, err = l.ListenFile(ListenConfig{}, os.NewFile(3, "listener"), func(*Conn) Handler { return signed("new") })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		l.Shutdown(context.Background())
	}()
	l.Post(func() { fmt.Println("ready") })
	if err := l.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// signed answers a request with who answers.
type signed string

func (signed) Open(*Conn)               {}
func (signed) EOF(c *Conn)              { c.Close() }
func (signed) Drained(*Conn)            {}
func (signed) Closed(*Conn, error)      {}
func (s signed) Data(c *Conn, _ []byte) { c.Write([]byte(s)); c.Close() }

// Clients connect, one after the other, while the listener passes to another process. Each gets its answer.
func TestHandOverDropsNoConnectionAttempt(t *testing.T) {
	eachDriver(t, testHandOverDropsNoConnectionAttempt)
}

func testHandOverDropsNoConnectionAttempt(t *testing.T, driver Driver) {
	old := start(t, Options{Driver: driver})
	s := serve(t, old, func(*Conn) Handler { return signed("old") })
	addr := s.Addr().String()

	var stop atomic.Bool
	var clients sync.WaitGroup
	var byOld, byNew atomic.Int64
	ask := func() error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write([]byte("?")); err != nil {
			return err
		}
		answer, err := io.ReadAll(c)
		switch {
		case err != nil:
			return err
		case string(answer) == "old":
			byOld.Add(1)
		case string(answer) == "new":
			byNew.Add(1)
		default:
			return fmt.Errorf("answer %q", answer)
		}
		return nil
	}
	for range 3 {
		clients.Go(func() {
			for !stop.Load() {
				if err := ask(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	defer clients.Wait()
	defer stop.Store(true)
	for byOld.Load() < 100 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}

	f, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	successor := exec.Command(executable)
	successor.Env = append(os.Environ(), successorEnv+"="+driver.String())
	successor.ExtraFiles = []*os.File{f}
	successor.Stderr = os.Stderr
	stdin, err := successor.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := successor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := successor.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	hear(t, stdout, "ready\n")
	if err := old.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	for seen := byNew.Load(); byNew.Load() < seen+100 && !t.Failed(); {
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	clients.Wait()
	stdin.Close()
	if err := successor.Wait(); err != nil {
		t.Error(err)
	}
	if err := ask(); err == nil {
		t.Error("somebody still listens")
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// A listener closes while others have its socket: who has connected is answered, by it or by them.
func TestCloseLeavesNobodyBetweenTwo(t *testing.T) { eachDriver(t, testCloseLeavesNobodyBetweenTwo) }

func testCloseLeavesNobodyBetweenTwo(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	f, err := other.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var clients []net.Conn
	for range 5 {
		c, err := net.Dial("tcp", other.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		say(t, c, "?")
		clients = append(clients, c)
	}
	on(t, l, func() {
		s, err := l.ListenFile(ListenConfig{}, f, func(*Conn) Handler { return signed("x") })
		if err != nil {
			t.Error(err)
			return
		}
		s.Close()
	})
	on(t, l, func() {}) // both have been carried out
	var accepting sync.WaitGroup
	defer accepting.Wait()
	defer other.Close()
	accepting.Go(func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			io.ReadFull(c, make([]byte, 1))
			c.Write([]byte("x"))
			c.Close()
		}
	})
	for _, c := range clients {
		hear(t, c, "x")
	}
}
