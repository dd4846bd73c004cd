package reactor_test

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/ring3-go/ring3/reactor"
)

// shout sends back in capitals what it gets, and counts.
type shout struct {
	reactor.Base
	bytes int // one handler a connection, so this needs no lock
}

func (s *shout) Data(c *reactor.Conn, b []byte) {
	s.bytes += len(b)
	answer := make([]byte, len(b)) // b is lent: it may be read, and kept only as a copy
	for i, x := range b {
		if 'a' <= x && x <= 'z' {
			x -= 'a' - 'A'
		}
		answer[i] = x
	}
	c.Write(answer)
}

func (s *shout) Closed(c *reactor.Conn, err error) {
	fmt.Println("closed after", s.bytes, "bytes:", err)
}

func Example() {
	loop, err := reactor.New(reactor.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := loop.Listen("tcp", "127.0.0.1:0", func(c *reactor.Conn) reactor.Handler {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		return &shout{}
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	go func() { // any client
		defer loop.Close()
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "hello")
		conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		fmt.Printf("%s %v\n", answer, err)
	}()

	if err := loop.Run(); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// HELLO <nil>
	// closed after 5 bytes: <nil>
}
