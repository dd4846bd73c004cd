package reactor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// identity makes a certificate for loopback, and who trusts it.
var identity = sync.OnceValues(func() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
})

func serveTLS(t *testing.T, l *Loop, cfg *tls.Config, accept func(*Conn) Handler) *Listener {
	t.Helper()
	s, err := l.ListenConfig(ListenConfig{TLS: cfg}, "tcp", "127.0.0.1:0", accept)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTLSServesTheStandardLibrarysClient(t *testing.T) {
	eachDriver(t, testTLSServesTheStandardLibrarysClient)
}

func testTLSServesTheStandardLibrarysClient(t *testing.T, driver Driver) {
	server, client := identity()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		l := start(t, Options{Driver: driver, ReadBuffer: 777}) // records come in pieces
		r := newRecorder(t)
		r.calls = make(chan string, 100_000)
		var state tls.ConnectionState
		r.open = func(c *Conn) { state, _ = c.TLS() }
		r.data = func(c *Conn, b []byte) { c.Write(b) }
		r.eof = func(c *Conn) { c.Close() }
		cfg := client.Clone()
		cfg.MaxVersion = version
		c := tls.Client(dial(t, serveTLS(t, l, server, func(*Conn) Handler { return r })), cfg)
		sent := make([]byte, 1<<20)
		rand.Read(sent)
		go func() { c.Write(sent); c.CloseWrite() }()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		r.expectClosed(nil)
		if state.Version != version || !state.HandshakeComplete {
			t.Errorf("version %x, complete %v", state.Version, state.HandshakeComplete)
		}
	}
}

func TestTLSDialsTheStandardLibrarysServer(t *testing.T) {
	eachDriver(t, testTLSDialsTheStandardLibrarysServer)
}

func testTLSDialsTheStandardLibrarysServer(t *testing.T, driver Driver) {
	server, client := identity()
	l := start(t, Options{Driver: driver})
	peer, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { // before the loop is closed and descriptors are counted
		peer.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := peer.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { c.Close() })
			serving.Go(func() { defer c.Close(); io.Copy(c, c) })
		}
	})
	r := newRecorder(t)
	on(t, l, func() {
		c, err := l.DialTLS("tcp", peer.Addr().String(), patience, client, r)
		if err == nil {
			err = c.Write([]byte("before the handshake"))
		}
		if err != nil {
			t.Error(err)
		}
	})
	r.expect("open", "data before the handshake")
	on(t, l, func() { r.conn.CloseWrite() })
	r.expect("eof")

	t.Run("which it does not trust", func(t *testing.T) {
		r := newRecorder(t)
		if _, err := l.DialTLS("tcp", peer.Addr().String(), patience, &tls.Config{ServerName: "127.0.0.1"}, r); err != nil {
			t.Fatal(err)
		}
		r.expect("closed") // and Open was not called
		if err := <-r.closed; !errors.As(err, new(*tls.CertificateVerificationError)) {
			t.Errorf("closed with %v", err)
		}
	})
}

func TestTLSEnds(t *testing.T) { eachDriver(t, testTLSEnds) }

func testTLSEnds(t *testing.T, driver Driver) {
	server, client := identity()
	l := start(t, Options{Driver: driver})
	connect := func(t *testing.T, r *recorder) (*tls.Conn, net.Conn) {
		raw := dial(t, serveTLS(t, l, server, func(c *Conn) Handler { return r }))
		c := tls.Client(raw, client)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		r.expect("open")
		return c, raw
	}
	t.Run("cut off", func(t *testing.T) {
		r := newRecorder(t)
		_, raw := connect(t, r)
		raw.Close() // without close_notify: somebody in between may have done that
		r.expect("closed")
		r.expectClosed(io.ErrUnexpectedEOF)
	})
	t.Run("by the peer, and written to after that", func(t *testing.T) {
		r := newRecorder(t)
		r.eof = func(c *Conn) {
			if err := errors.Join(c.Write([]byte("goodbye")), c.Close()); err != nil {
				t.Error(err)
			}
		}
		c, _ := connect(t, r)
		c.CloseWrite()
		hear(t, c, "goodbye")
		ends(t, c)
		r.expect("eof", "closed")
		r.expectClosed(nil)
	})
	t.Run("by the handler", func(t *testing.T) {
		r := newRecorder(t)
		r.data = func(c *Conn, _ []byte) { c.Write([]byte("enough")); c.Close() }
		c, _ := connect(t, r)
		say(t, c, "x")
		hear(t, c, "enough")
		ends(t, c) // close_notify came, or this would be an error
		r.expectClosed(nil)
	})
	t.Run("garbage", func(t *testing.T) {
		r := newRecorder(t)
		_, raw := connect(t, r)
		say(t, raw, "this is no record of TLS, not at all")
		r.expect("closed")
		if err := <-r.closed; err == nil {
			t.Error("closed without an error")
		}
	})
	t.Run("no handshake", func(t *testing.T) {
		r := newRecorder(t)
		c := dial(t, serveTLS(t, l, server, func(*Conn) Handler { return r }))
		say(t, c, "GET / HTTP/1.0\r\n\r\n")
		io.ReadAll(c) // an alert
		r.expect("closed")
		if err := <-r.closed; !errors.As(err, new(tls.RecordHeaderError)) {
			t.Errorf("closed with %v", err)
		}
	})
	t.Run("half a handshake", func(t *testing.T) {
		r := newRecorder(t)
		c := dial(t, serveTLS(t, l, server, func(c *Conn) Handler {
			c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			return r
		}))
		say(t, c, "\x16\x03\x01\x02\x00") // the header of a first record that never comes
		r.expect("closed")
		r.expectClosed(os.ErrDeadlineExceeded)
	})
	t.Run("hung up in the handshake", func(t *testing.T) {
		r := newRecorder(t)
		c := dial(t, serveTLS(t, l, server, func(*Conn) Handler { return r }))
		say(t, c, "\x16\x03\x01\x02\x00")
		c.Close()
		r.expect("closed")
		if err := <-r.closed; err == nil {
			t.Error("closed without an error")
		}
	})
	t.Run("panic in the handshake", func(t *testing.T) {
		r := newRecorder(t)
		cfg := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("a mistake") }}
		c := tls.Client(dial(t, serveTLS(t, l, cfg, func(*Conn) Handler { return r })), client)
		if err := c.Handshake(); err == nil {
			t.Error("the handshake succeeded")
		}
		r.expect("closed")
		if err := <-r.closed; !errors.As(err, new(*PanicError)) {
			t.Errorf("closed with %v", err)
		}
	})
}

// The loop ends while handshakes are under way: their coroutines end with it, which goleak sees.
func TestTLSHandshakesEndWithTheLoop(t *testing.T) { eachDriver(t, testTLSHandshakesEndWithTheLoop) }

func testTLSHandshakesEndWithTheLoop(t *testing.T, driver Driver) {
	server, _ := identity()
	l := start(t, Options{Driver: driver})
	s := serveTLS(t, l, server, echoes)
	for range 10 {
		c := dial(t, s)
		say(t, c, "\x16\x03\x01\x02\x00")
	}
	on(t, l, func() {})
}

// What is written before the handshake is sent after it, encrypted, ahead of what Open writes; and so is the end.
func TestTLSKeepsWhatIsWrittenBeforeTheHandshake(t *testing.T) {
	eachDriver(t, testTLSKeepsWhatIsWrittenBeforeTheHandshake)
}

func testTLSKeepsWhatIsWrittenBeforeTheHandshake(t *testing.T, driver Driver) {
	server, client := identity()
	l := start(t, Options{Driver: driver, WriteLimit: 1 << 20, HighWater: 1 << 20})
	for name, end := range map[string]func(*Conn) error{"Close": (*Conn).Close, "CloseWrite": (*Conn).CloseWrite, "none": nil} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(t)
			r.open = func(c *Conn) {
				err := c.Write([]byte("open"))
				if end == nil {
					c.Close()
				} else if !errors.Is(err, ErrClosed) {
					t.Errorf("Write after the end: %v", err)
				}
			}
			c := tls.Client(dial(t, serveTLS(t, l, server, func(c *Conn) Handler {
				if err := c.Write([]byte("early ")); err != nil || c.Buffered() != len("early ") {
					t.Errorf("%d bytes are kept, %v", c.Buffered(), err)
				}
				if err := c.Write(make([]byte, 1<<20)); !errors.Is(err, ErrWriteLimit) {
					t.Errorf("too much: %v", err)
				}
				if end != nil {
					if err := end(c); err != nil {
						t.Error(err)
					}
				}
				return r
			})), client)
			hear(t, c, "early ")
			if end == nil {
				hear(t, c, "open")
			}
			ends(t, c)
			c.Close()
			r.expectClosed(nil)
		})
	}
	t.Run("dialing", func(t *testing.T) {
		got := make(chan string, 1)
		s := serveTLS(t, l, server, func(*Conn) Handler {
			r := newRecorder(t)
			r.data = func(_ *Conn, b []byte) { got <- string(b) }
			r.eof = func(c *Conn) { c.Close() }
			return r
		})
		r := newRecorder(t)
		on(t, l, func() {
			c, err := l.DialTLS("tcp", s.Addr().String(), patience, client, r)
			if err == nil {
				err = errors.Join(c.Write([]byte("and goodbye")), c.Close())
			}
			if err != nil || !errors.Is(c.Close(), ErrClosed) {
				t.Error(err)
			}
		})
		r.expectClosed(nil)
		if s := <-got; s != "and goodbye" {
			t.Errorf("%q", s)
		}
	})
}
