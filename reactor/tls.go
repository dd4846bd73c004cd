package reactor

// placeholder
type tlsConn struct{}

func (*tlsConn) write([]byte) error { return nil }
func (*tlsConn) closeWrite() error  { return nil }
func (*tlsConn) handshaking() bool  { return false }
func (*tlsConn) start()             {}
func (*tlsConn) stop()              {}
func (*tlsConn) input([]byte)       {}
func (*tlsConn) inputEnd()          {}
