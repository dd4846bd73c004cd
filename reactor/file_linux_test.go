package reactor

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"testing"
)

func TestFileOperationsDoNotHoldUpTheLoop(t *testing.T) {
	eachDriver(t, testFileOperationsDoNotHoldUpTheLoop)
}

func testFileOperationsDoNotHoldUpTheLoop(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sent := make([]byte, 1<<20)
	rand.Read(sent)
	done := make(chan error, 100)
	file := l.File(f)
	const part = 64 << 10
	on(t, l, func() {
		for at := 0; at < len(sent); at += part {
			file.WriteAt(sent[at:at+part], int64(at), func(n int, err error) {
				if n != part {
					err = errors.Join(err, io.ErrShortWrite)
				}
				done <- err
			})
		}
		if driver == IOURing && l.files.working > 0 {
			t.Error("goroutines do what the kernel could")
		}
	})
	for range len(sent) / part {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	on(t, l, func() { file.Sync(func(err error) { done <- err }) })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("the file has %d bytes, %v", len(got), err)
	}
	got := make([]byte, 100)
	on(t, l, func() {
		file.ReadAt(got, int64(len(sent)-40), func(n int, err error) {
			if n != 40 || !bytes.Equal(got[:n], sent[len(sent)-40:]) {
				t.Errorf("read %d bytes", n)
			}
			done <- err
		})
	})
	if err := <-done; err != io.EOF {
		t.Errorf("past the end: %v", err)
	}
	f.Close()
	on(t, l, func() { file.ReadAt(got, 0, func(_ int, err error) { done <- err }) })
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed file: %v", err)
	}
}

// A pipe blocks for as long as the test likes.
func TestBlockingWorkLeavesTheLoopFree(t *testing.T) {
	eachDriver(t, testBlockingWorkLeavesTheLoopFree)
}

func testBlockingWorkLeavesTheLoopFree(t *testing.T, driver Driver) {
	reports := make(chan error, 1)
	l := start(t, Options{Driver: driver, Report: func(err error) { reports <- err }})
	release := make(chan struct{})
	finished := make(chan int, 3*maxWorkers)
	on(t, l, func() {
		for i := range 3 * maxWorkers {
			l.Blocking(func() { <-release }, func() { finished <- i })
		}
	})
	on(t, l, func() {}) // it is free
	close(release)
	for range 3 * maxWorkers {
		<-finished
	}
	on(t, l, func() { l.Blocking(func() { panic("a mistake") }, func() { finished <- 0 }) })
	<-finished
	if err := <-reports; !errors.As(err, new(*PanicError)) {
		t.Errorf("reported: %v", err)
	}
}

func TestLoopWaitsForItsOperations(t *testing.T) { eachDriver(t, testLoopWaitsForItsOperations) }

func testLoopWaitsForItsOperations(t *testing.T, driver Driver) {
	l, err := New(Options{Driver: driver})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- l.Run() }()
	begun, release := make(chan struct{}), make(chan struct{})
	done := false
	on(t, l, func() { l.Blocking(func() { close(begun); <-release }, func() { done = true }) })
	<-begun
	l.Close()
	close(release)
	if err := <-ran; err != nil || !done {
		t.Errorf("Run: %v; done was called: %v", err, done)
	}
}

// The last that a handler hears may begin an operation, which is done before the loop has ended.
func TestOperationOfTheLastHandlerIsDone(t *testing.T) {
	eachDriver(t, testOperationOfTheLastHandlerIsDone)
}

func testOperationOfTheLastHandlerIsDone(t *testing.T, driver Driver) {
	l, err := New(Options{Driver: driver})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- l.Run() }()
	done := false
	r := newRecorder(t)
	dial(t, serve(t, l, func(*Conn) Handler { return r }))
	r.expect("open")
	on(t, l, func() {
		r.conn.SetHandler(closing(func() { l.Blocking(func() {}, func() { done = true }) }))
	})
	l.Close()
	if err := <-ran; err != nil || !done {
		t.Errorf("Run: %v; done was called: %v", err, done)
	}
}
