package reactor

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"time"
)

type echo struct{ Base }

func (echo) Data(c *Conn, b []byte) { c.Write(b) }

func start(t testing.TB, opts Options) *Loop {
	l, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- l.Run() }()
	t.Cleanup(func() {
		l.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestEcho(t *testing.T) {
	l := start(t, Options{})
	s, err := l.Listen("tcp", "127.0.0.1:0", func(*Conn) Handler { return echo{} })
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() { c.Write(data); c.(*net.TCPConn).CloseWrite() }()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatal(len(got), err)
	}
}

func TestTLS(t *testing.T) {
	l := start(t, Options{})
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	defer srv.Close()
	s, err := l.ListenConfig(ListenConfig{TLS: srv.TLS}, "tcp", "127.0.0.1:0", func(*Conn) Handler { return echo{} })
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() { c.Write(data); c.CloseWrite() }()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatal(len(got), err)
	}
}
